"""One update said a second time: in double precision, row by row, without masks.

Only the gradient of the loss is left to JAX; the network and the loss that it is taken of are
written out plainly, and see nothing but rows that count.
"""

import jax
import jax.numpy as jnp
import numpy as np

ORDER = 2
"""What the key of a learner is folded with first for permutations."""
ILLEGAL = -1e9


def update(shape, learner, found, params, learning_rate, entropy_coef):
    """Returns the parameters and moments after an update, and figures of it by name."""
    number = {name: np.float64(getattr(params, name)) for name in (
        "gamma", "gae_lambda", "clip_param", "value_clip", "value_loss_coef", "max_grad_norm",
        "adv_std_floor", "value_norm_decay",
    )}  # fmt: skip
    rows, is_valid = found.transitions, np.asarray(found.transitions.seen.is_valid)
    mask = np.asarray(rows.seen.mask)
    decides = is_valid & (mask.sum(-1) > 1)
    advantage, target = _estimate(shape, rows, np.float64(found.bootstrap), number)
    stats, mean, deviation = _gather(learner.value_stats, target[is_valid], number)
    of_choices = advantage[decides]
    spread = max(of_choices.std(), number["adv_std_floor"] * deviation)
    data = {
        "features": np.asarray(rows.seen.features),
        "mask": mask,
        "is_first": np.asarray(rows.is_first),
        "hidden": np.asarray(found.hidden),
        "action": np.asarray(rows.action),
        "old_log_prob": np.asarray(rows.log_prob),
        "advantage": (advantage - of_choices.mean()) / spread,
        "target": (target - mean) / deviation,
        "old_value": (np.float64(rows.value) - mean) / deviation,
        "is_valid": is_valid,
        "decides": decides,
    }
    net = jax.tree.map(np.float64, learner.params)
    moments = [jax.tree.map(np.float64, m) for m in learner.opt_state[:3][1:]]
    count = int(learner.opt_state[0])
    losses, norms = [], []
    for towns in _minibatches(shape, learner):
        loss, gradient = _gradient(net, data, towns, entropy_coef, number)
        norm = np.sqrt(sum((g**2).sum() for g in jax.tree.leaves(gradient)))
        if number["max_grad_norm"] > 0:
            factor = min(1.0, number["max_grad_norm"] / norm)
            gradient = jax.tree.map(lambda g, factor=factor: g * factor, gradient)
        count += 1
        net, moments = _adam(net, moments, gradient, count, learning_rate)
        losses.append(loss)
        norms.append(norm)
    figures = {
        "loss_total": np.mean(losses),
        "grad_norm": np.mean(norms),
        "adv_mean": of_choices.mean(),
        "adv_std": of_choices.std(),
        "return_mean": target[is_valid].mean(),
        "return_std": target[is_valid].std(),
        "value_mean": np.float64(rows.value)[is_valid].mean(),
        "value_sigma": deviation,
        "transitions": is_valid.sum(),
        "decision_fraction": decides.sum() / is_valid.sum(),
        "explained_variance": 1 - (target - rows.value)[is_valid].var() / target[is_valid].var(),
        "reward_advantage_corr": np.corrcoef(
            np.float64(rows.reward)[decides], data["advantage"][decides]
        )[0, 1],
    }
    return net, moments, stats, figures


def _estimate(shape, rows, bootstrap, number):
    discount = number["gamma"] ** shape.decide_every * ~np.asarray(rows.is_terminated)
    value, reward = np.float64(rows.value), np.float64(rows.reward)
    is_valid = np.asarray(rows.seen.is_valid)
    advantage = np.zeros_like(value)
    following, later, is_same = bootstrap, np.zeros_like(bootstrap), np.ones_like(is_valid[0])
    for t in reversed(range(shape.num_steps)):
        delta = reward[t] + discount[t] * following - value[t]
        later = delta + discount[t] * number["gae_lambda"] * is_same * later
        advantage[t] = later
        following, is_same = value[t], is_valid[t]
    return advantage, advantage + value


def _gather(stats, target, number):
    keep = number["value_norm_decay"]
    old = (np.float64(stats.mean), np.float64(stats.square), np.float64(stats.weight))
    new = (target.mean(), (target**2).mean(), 1.0)
    m, q, w = (keep * a + (1 - keep) * b for a, b in zip(old, new, strict=True))
    return (m, q, w), m / w, np.sqrt(max(q / w - (m / w) ** 2, 1e-4))


def _minibatches(shape, learner):
    """Yields the towns of each minibatch, all epochs in a row."""
    key = jax.random.fold_in(jax.random.fold_in(learner.key, ORDER), learner.num_updates)
    size = shape.num_towns // shape.num_groups
    share = size // shape.num_mini_batches
    for epoch in range(shape.num_epochs):
        orders = []
        for group in range(shape.num_groups):
            of_group = jax.random.fold_in(jax.random.fold_in(key, epoch), group)
            orders.append(group * size + np.asarray(jax.random.permutation(of_group, size)))
        for i in range(shape.num_mini_batches):
            yield np.concatenate([order[i * share : (i + 1) * share] for order in orders])


def _gradient(net, data, towns, entropy_coef, number):
    """Returns the loss of a minibatch and its gradient in double precision."""
    part = {name: x[towns] if name == "hidden" else x[:, towns] for name, x in data.items()}
    rows, choices = np.nonzero(part["is_valid"]), np.nonzero(part["decides"])
    single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (net, part))

    def loss(net):
        logits, value = _network(net, single[1])
        off = _at(value, rows) - _at(single[1]["target"], rows)
        near = _at(single[1]["old_value"], rows)
        clip = number["value_clip"]
        near = (
            near + jnp.clip(_at(value, rows) - near, -clip, clip) - _at(single[1]["target"], rows)
        )
        of_value = off**2 if clip == 0 else jnp.maximum(off**2, near**2)
        chosen = jnp.where(part["mask"][choices], _at(logits, choices), ILLEGAL)
        log_probs = chosen - jax.scipy.special.logsumexp(chosen, axis=1, keepdims=True)
        taken = part["action"][choices].astype(int)
        log_prob = log_probs[np.arange(len(taken)), taken]
        ratio = jnp.exp(log_prob - _at(single[1]["old_log_prob"], choices))
        gain = _at(single[1]["advantage"], choices)
        low, high = 1 - number["clip_param"], 1 + number["clip_param"]
        of_policy = jnp.minimum(ratio * gain, jnp.clip(ratio, low, high) * gain)
        terms = jnp.where(part["mask"][choices], jnp.exp(log_probs) * log_probs, 0.0)
        bonus = entropy_coef * -jnp.mean(jnp.sum(terms, axis=1))
        return -jnp.mean(of_policy) + number["value_loss_coef"] * jnp.mean(of_value) / 2 - bonus

    value, gradient = jax.value_and_grad(loss)(single[0])
    return float(value), jax.tree.map(np.float64, gradient)


def _at(x, index):
    return jnp.asarray(x)[index]


def _network(net, part):
    """Returns logits `[T, M, A, n]` and normalised values `[T, M, A]`, step by step."""
    hidden, logits, values = part["hidden"], [], []
    for features, is_first in zip(part["features"], part["is_first"] > 0, strict=True):
        x = _norm(net["feat_norm"], features)
        x = jax.nn.relu(_dense(net["feat2"], jax.nn.relu(_dense(net["feat1"], x))))
        x = jax.nn.relu(_dense(net["trunk"], _norm(net["trunk_norm"], x)))
        hidden = _remember(net["gru"], jnp.where(is_first[..., None], 0.0, hidden), x)
        both = jnp.concatenate([hidden, x], axis=-1)
        logits.append(_dense(net["policy"], both))
        values.append(_dense(net["value"], both)[..., 0])
    return jnp.stack(logits), jnp.stack(values)


def _dense(layer, x):
    return x @ layer["kernel"] + layer["bias"][None, None]


def _norm(layer, x):
    off = x - jnp.mean(x, axis=-1, keepdims=True)
    size = jnp.sqrt(jnp.mean(off**2, axis=-1, keepdims=True) + 1e-6)
    return off / size * layer["scale"][None, None] + layer["bias"][None, None]


def _remember(gru, hidden, x):
    drive = jnp.split(x @ gru["kernel"] + gru["bias"][None, None], 3, axis=-1)
    recur = jnp.split(hidden @ gru["recurrent"], 3, axis=-1)
    reset, update = (jax.nn.sigmoid(drive[i] + recur[i]) for i in range(2))
    new = jnp.tanh(drive[2] + reset * (recur[2] + gru["bias_new"][None, None]))
    return (1 - update) * new + update * hidden


def _adam(net, moments, gradient, count, learning_rate):
    """Takes one step of Adam with b1 .9, b2 .999, eps 1e-5."""
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], gradient)
    second = jax.tree.map(lambda m, g: 0.999 * m + 0.001 * g**2, moments[1], gradient)

    def step(p, m, v):
        return p - learning_rate * (m / (1 - 0.9**count)) / (np.sqrt(v / (1 - 0.999**count)) + 1e-5)

    return jax.tree.map(step, net, first, second), [first, second]
