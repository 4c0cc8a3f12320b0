import numpy as np
from safetensors.numpy import load_file

from serve_app.embedding.bert_graph import write_bert
from serve_app.embedding.calibration import collect_rows, read_sentences
from serve_app.embedding.int8_graph import find_inputs
from serve_app.embedding.registry import MINILM
from tests.embedding.hub import packaged_tokenizer
from tests.embedding.test_bert_graph import HEADS, WIDTH, random_weights


def test_sentences_are_many_and_short_enough_for_the_model():
    texts = read_sentences(packaged_tokenizer())
    assert len(texts) >= 40
    assert max(map(len, texts)) <= MINILM.max_tokens
    assert len(set(map(len, texts))) > 10


def test_collects_the_rows_of_every_token():
    weights = random_weights()
    places = find_inputs(weights)
    texts = [[1, 7, 3, 2], [1, 30, 2]]
    seen = collect_rows(write_bert(weights, HEADS, "mean"), places, texts)
    assert seen.keys() == places.keys()
    words, positions, segments = (
        weights[f"embeddings.{kind}_embeddings.weight"]
        for kind in ("word", "position", "token_type")
    )
    rows = np.concatenate([words[ids] + positions[: len(ids)] + segments[0] for ids in texts])
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= rows.std(axis=1, keepdims=True)
    norm = "embeddings.LayerNorm"
    rows = rows * weights[f"{norm}.weight"] + weights[f"{norm}.bias"]
    first = seen["encoder.layer.0.attention.self"]
    np.testing.assert_allclose(first, rows, atol=1e-4)
    assert first.shape == (7, WIDTH)


def test_every_matrix_of_the_real_model_has_a_place():
    weights = load_file(packaged_tokenizer().parent / "model.safetensors")
    assert len(find_inputs(weights)) == 24
