"""Learning from a rollout: epochs of minibatches of whole towns (training text §6.6)."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from townlet_jax.masked import computed_once, rounded
from townlet_jax.train import losses, sums
from townlet_jax.train.config import TrainParams, TrainShape
from townlet_jax.train.network import run_network
from townlet_jax.train.types import Seen

OPTIMISER = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-5)
"""Kingma and Ba 2015; the learning rate is applied apart, because it is traced."""


class Sample(struct.PyTreeNode):
    """What is learned from; `[T, M, A, ...]`, the hidden state `[M, A, H]`."""

    seen: Seen
    is_first: jax.Array
    action: jax.Array
    old_log_prob: jax.Array
    advantage: jax.Array
    target: jax.Array
    old_value: jax.Array
    hidden: jax.Array


class Fit(struct.PyTreeNode):
    """Network and optimiser, and whether the epochs to come still count."""

    params: Any
    opt_state: Any
    is_stopped: jax.Array


def update(
    shape: TrainShape,
    fit: Fit,
    sample: Sample,
    key: jax.Array,
    learning_rate: jax.Array,
    entropy_coef: jax.Array,
    params: TrainParams,
    axis_name: str | None = None,
) -> tuple[Fit, dict[str, jax.Array]]:
    """Takes all steps of one update.

    After an epoch whose mean `kl3` exceeds `target_kl`, later epochs change nothing. A minibatch
    whose loss or gradient is not finite changes nothing either.

    Args:
      shape: static sizes; `num_towns` and `num_groups` of this device.
      fit: network and optimiser.
      sample: what is learned from.
      key: key `[]` of this update; it is consumed.
      learning_rate, entropy_coef: float32, in force.
      params: of the learner.
      axis_name: of the devices over which groups of towns are spread; None = one device.

    Returns:
      The fit; by name, float32 `[num_epochs, num_mini_batches]`, what each minibatch gave, among
      them `is_applied`.
    """
    num_groups = shape.num_groups
    size = sample.hidden.shape[0] // num_groups
    first_group = jnp.int32(0)
    if axis_name is not None:
        first_group = jax.lax.axis_index(axis_name) * num_groups
    groups = first_group + jnp.arange(num_groups, dtype=jnp.int32)
    step = functools.partial(_step, shape, learning_rate, entropy_coef, params, axis_name)

    def epoch(fit: Fit, index: jax.Array) -> tuple[Fit, dict[str, jax.Array]]:
        epoch_key = jax.random.fold_in(key, index)
        keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(epoch_key, groups)
        order = jax.vmap(lambda k: jax.random.permutation(k, size))(keys)  # [G, M/G]
        batches = _deal(sample, order, shape.num_mini_batches)
        fit, given = jax.lax.scan(step, fit, batches)
        kl = jnp.mean(given["kl3"])
        exceeds = (params.target_kl > 0) & (kl > params.target_kl)
        return fit.replace(is_stopped=fit.is_stopped | exceeds), given

    return jax.lax.scan(epoch, fit, jnp.arange(shape.num_epochs, dtype=jnp.int32))


def _deal(sample: Sample, order: jax.Array, num_mini_batches: int) -> Sample:
    """Deals towns out to minibatches.

    Args:
      sample: `[T, M, A, ...]`.
      order: int32 `[G, M/G]`, permutation within each group.
      num_mini_batches: N.

    Returns:
      `[N, G, T, m, A, ...]`, the hidden state `[N, G, m, A, H]`, m towns of each group.
    """
    num_groups, size = order.shape
    towns = (order + jnp.arange(num_groups, dtype=order.dtype)[:, None] * size).reshape(-1)

    def deal(x: jax.Array, axis: int) -> jax.Array:
        x = jnp.moveaxis(jnp.take(x, towns, axis=axis), axis, 0)
        x = x.reshape(num_groups, num_mini_batches, size // num_mini_batches, *x.shape[1:])
        return jnp.moveaxis(jnp.swapaxes(x, 0, 1), 2, 2 + axis)

    hidden = deal(sample.hidden, 0)
    rest = jax.tree.map(lambda x: deal(x, 1), sample.replace(hidden=sample.is_first))
    return rest.replace(hidden=hidden)


def _step(
    shape: TrainShape,
    learning_rate: jax.Array,
    entropy_coef: jax.Array,
    params: TrainParams,
    axis_name: str | None,
    fit: Fit,
    batch: Sample,
) -> tuple[Fit, dict[str, jax.Array]]:
    """Takes one step; batch: `[G, T, m, A, ...]`."""
    decides = losses.is_decision(batch.seen.mask, batch.seen.is_valid)
    numbers = jnp.stack([_each(decides), _each(batch.seen.is_valid)], axis=1)  # [G, 2]
    counts = jnp.maximum(sums.over_blocks(numbers, axis_name), 1).astype(jnp.float32)
    per_decision, per_row = 1.0 / counts[0], 1.0 / counts[1]

    def loss_of(net: Any, group: Sample) -> tuple[jax.Array, dict[str, jax.Array]]:
        total = losses.ppo_sums(_batch(shape, net, group), params)
        loss = losses.ppo_loss(total, per_decision, per_row, entropy_coef, params)
        return loss, total | {"loss": loss}

    gradient_of = jax.grad(loss_of, has_aux=True)
    given = sums.block_by_block(gradient_of, fit.params, batch)
    gradient, total = computed_once(sums.over_blocks(given, axis_name))

    norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(gradient)))
    limit = params.max_grad_norm
    factor = jnp.where(limit > 0, jnp.minimum(1.0, limit / jnp.maximum(norm, 1e-12)), 1.0)
    gradient = jax.tree.map(lambda g: g * factor, gradient)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes kinds
        change, opt_state = computed_once(
            OPTIMISER.update(*computed_once((gradient, fit.opt_state)))
        )
    net = jax.tree.map(lambda p, d: p - rounded(learning_rate * d), fit.params, change)
    is_finite = jnp.isfinite(total["loss"]) & jnp.isfinite(norm)
    is_applied = is_finite & ~fit.is_stopped
    net, opt_state = jax.tree.map(
        lambda new, old: jnp.where(is_applied, new, old),
        (net, opt_state),
        (fit.params, fit.opt_state),
    )
    over_decisions = {"policy", "entropy", "entropy_share", "kl1", "kl3", "clipped"}
    means = {name: total[name] * per_decision for name in sorted(over_decisions)}
    means |= {"value": total["value"] * per_row, "loss": total["loss"], "grad_norm": norm}
    means = {name: jnp.where(is_finite, x, 0.0) for name, x in means.items()}
    flags = {"is_applied": is_applied, "is_finite": is_finite}
    means |= {name: x.astype(jnp.float32) for name, x in flags.items()}
    return fit.replace(params=net, opt_state=opt_state), means | _rivalry(shape, batch, axis_name)


def _batch(shape: TrainShape, net: Any, group: Sample) -> losses.Batch:
    """Runs the network over the sequences of a group of towns."""
    _, log_probs, value = run_network(shape, net, group.hidden, group.seen, group.is_first)
    return losses.Batch(
        log_probs=log_probs,
        value=value,
        mask=group.seen.mask,
        is_valid=group.seen.is_valid,
        action=group.action,
        old_log_prob=group.old_log_prob,
        advantage=group.advantage,
        target=group.target,
        old_value=group.old_value,
    )


def _each(mask: jax.Array) -> jax.Array:
    """Counts by group, int32 `[G]`."""
    return jnp.sum(mask.reshape(mask.shape[0], -1), axis=1, dtype=jnp.int32)


def _rivalry(shape: TrainShape, batch: Sample, axis_name: str | None) -> dict[str, jax.Array]:
    """Means and maxima of what residents see of their rivalries, over valid rows."""
    if shape.rivalry_columns is None:
        return {}
    is_valid = batch.seen.is_valid
    found = {}
    num_valid = jnp.maximum(sums.over_blocks(_each(is_valid), axis_name), 1).astype(jnp.float32)
    for name, column in zip(("rivalry_max", "avoid_count"), shape.rivalry_columns, strict=True):
        x = jnp.where(is_valid, batch.seen.features[..., column].astype(jnp.float32), 0.0)
        by_group = x.reshape(x.shape[0], -1)
        found[f"{name}_mean"] = sums.over_blocks(jnp.sum(by_group, axis=1), axis_name) / num_valid
        largest = jnp.max(by_group)
        found[f"{name}_max"] = largest if axis_name is None else jax.lax.pmax(largest, axis_name)
    return found
