"""The trainer: recurrent PPO on the device, evaluation, many seeds at once."""
