"""BERT's forward pass as the paper says it, one text at a time, in float64."""

import math

import numpy as np

erf = np.vectorize(math.erf)


def embed(weights, heads, token_ids):
    """The unit-length mean of the last layer's token vectors."""
    named = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    positions = np.arange(len(token_ids))
    hidden = (
        named["embeddings.word_embeddings.weight"][token_ids]
        + named["embeddings.position_embeddings.weight"][positions]
        + named["embeddings.token_type_embeddings.weight"][0]
    )
    hidden = normalise(hidden, named, "embeddings.LayerNorm")
    layers = sum(name.endswith("query.weight") for name in named)
    for layer in range(layers):
        hidden = transform(hidden, named, f"encoder.layer.{layer}", heads)
    pooled = hidden.mean(axis=0)
    return pooled / np.linalg.norm(pooled)


def transform(hidden, named, layer, heads):
    mixed = dense(attend(hidden, named, layer, heads), named, f"{layer}.attention.output.dense")
    middle = normalise(mixed + hidden, named, f"{layer}.attention.output.LayerNorm")
    wide = dense(middle, named, f"{layer}.intermediate.dense")
    bent = wide * 0.5 * (1 + erf(wide / math.sqrt(2)))
    narrow = dense(bent, named, f"{layer}.output.dense")
    return normalise(narrow + middle, named, f"{layer}.output.LayerNorm")


def attend(hidden, named, layer, heads):
    parts = ("query", "key", "value")
    queries, keys, values = (
        np.split(dense(hidden, named, f"{layer}.attention.self.{part}"), heads, axis=1)
        for part in parts
    )
    outputs = []
    for query, key, value in zip(queries, keys, values, strict=True):
        scores = query @ key.T / math.sqrt(query.shape[1])
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        outputs.append(weights / weights.sum(axis=1, keepdims=True) @ value)
    return np.concatenate(outputs, axis=1)


def dense(inputs, named, name):
    return inputs @ named[f"{name}.weight"].T + named[f"{name}.bias"]


def normalise(inputs, named, name):
    centred = inputs - inputs.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-12)
    return centred / deviation * named[f"{name}.weight"] + named[f"{name}.bias"]
