from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flightline import catalog
from flightline.errors import FlightlineError
from flightline.plan.sizing import explain, shape
from flightline.plan.sizing.config import Config, read
from flightline.plan.sizing.fit import judged
from flightline.plan.sizing.remedies import remedies
from flightline.plan.sizing.request import Request

LLAMA = catalog.model("llama-3.1-8b").config
NAMES = [each.id for each in catalog.models()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "not JSON"),
        ("[]", "its content is a list, expected an object"),
        ("null", "its content is null, expected an object"),
        ("{", "not JSON"),
        ('{"hidden_size": NaN}', "NaN is no JSON number"),
        ("{}", "it lacks model_type, hidden_size, num_hidden_layers"),
        ('{"model_type": "whisper"}', "model_type 'whisper' is unknown; it lacks hidden_size"),
        ('{"model_type": 7}', "this is no model's config.json"),
        ('{"model_type": "llama"}', "hidden_size, num_hidden_layers are missing"),
    ],
)
def test_what_is_no_model_is_a_sentence(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(FlightlineError, match=expected) as raised:
        shape.from_file(path)
    assert raised.value.message.startswith(str(path))
    assert len(raised.value.message) < 900 and "\n" not in raised.value.message


def test_numbers_without_end_and_nesting_without_end_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"hidden_size": ' + "9" * 5000 + "}")
    with pytest.raises(FlightlineError, match="not JSON"):
        read(path)
    path.write_text('{"a":' * 100_000)
    with pytest.raises(FlightlineError, match="not JSON"):
        read(path)


def test_bytes_that_are_no_text_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(bytes([0xFF, 0xFE]) + b"{}")
    with pytest.raises(FlightlineError, match="not JSON"):
        read(path)
    with pytest.raises(FlightlineError, match="cannot be read"):
        read(tmp_path)
    with pytest.raises(FlightlineError, match="cannot be read"):
        read(tmp_path / "none.json")


def test_a_file_that_is_no_config_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.truncate(9 * 1024**2)
    with pytest.raises(FlightlineError, match="larger than 8 MiB"):
        read(path)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"hidden_size": "4096"}, 'hidden_size is "4096", expected a whole number from 1'),
        ({"hidden_size": 4096.0}, "hidden_size is 4096.0"),
        ({"hidden_size": True}, "hidden_size is true"),
        ({"hidden_size": -1}, "hidden_size is -1"),
        ({"hidden_size": 10**30}, r"hidden_size is a number above 10\^18"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"num_attention_heads": 7}, "expected a divisor of hidden_size 4096"),
        ({"num_key_value_heads": 5}, "expected a divisor of the 32 heads"),
        ({"vocab_size": None}, "vocab_size is missing, and nothing is guessed"),
        ({"vocab_size": {}}, "vocab_size is an object"),
        ({"num_hidden_layers": 10**9}, "expected a whole number from 1 to 10000"),
        ({"layer_types": ["full_attention"]}, "names 1 layers, expected the 32"),
        ({"layer_types": ["mamba"] * 32}, "layer_types has mamba, which cannot be sized"),
        ({"layer_types": [1]}, "layer_types is a list, expected a list of names"),
        ({"tie_word_embeddings": "no"}, "expected true or false"),
        ({"torch_dtype": "int3"}, 'torch_dtype is "int3", expected float32, float16 or bfloat16'),
        ({"torch_dtype": 16}, "torch_dtype is 16, expected float32"),
        ({"torch_dtype": ""}, 'torch_dtype is "", expected float32'),
        ({"torch_dtype": "awq"}, 'torch_dtype is "awq", expected float32'),
        ({"dtype": "banana"}, 'dtype is "banana", expected float32'),
        ({"torch_dtype": None, "dtype": ["bfloat16"]}, "dtype is a list, expected float32"),
        ({"quantization_config": "awq"}, 'quantization_config is "awq", expected an object'),
        ({"quantization_config": {}}, "quant_method is '', whose bits are unknown"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config.bits or w_bit"),
        ({"quantization_config": {"quant_method": "hqq"}}, "known are gptq, awq"),
        (
            {"rope_scaling": {"type": "yarn", "factor": "4"}},
            'rope_scaling.factor is "4", expected a number from 1 to 10000',
        ),
        ({"rope_scaling": {"rope_type": "llama3", "factor": -8}}, "rope_scaling.factor is -8"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 0}}, "rope_scaling.factor is 0"),
        ({"rope_scaling": {"factor": True}}, "rope_scaling.factor is true, expected a number"),
        ({"rope_scaling": {"type": 5, "factor": 4}}, "rope_scaling.type is 5, expected a name"),
        ({"rope_parameters": {"factor": 1e999}}, "rope_parameters.factor is Infinity"),
        (
            {"rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": "x"}}},
            'rope_parameters.full_attention.factor is "x"',
        ),
        ({"rope_scaling": "yarn"}, 'rope_scaling is "yarn", expected an object'),
        ({"text_config": {}}, "with a text_config is not an architecture"),
        ({"audio_config": {}}, "models with more than text and pictures"),
    ],
)
def test_a_wrong_field_is_named(changed: dict[str, Any], expected: str) -> None:
    with pytest.raises(FlightlineError, match=expected):
        shape.of(Config({**LLAMA, **changed}, "config.json"))


def test_all_problems_are_named_at_once() -> None:
    fields = {**LLAMA, "vocab_size": None, "intermediate_size": None, "num_attention_heads": "x"}
    with pytest.raises(FlightlineError, match=r"num_attention_heads is .*intermediate_size"):
        shape.of(Config(fields, "config.json"))


def test_a_multimodal_config_without_its_text_model_is_refused() -> None:
    with pytest.raises(FlightlineError, match="text_config is missing"):
        shape.of(Config({"model_type": "gemma3"}, "config.json"))


def test_an_unknown_number_type_beside_a_quantisation_is_said() -> None:
    quantised = {"quantization_config": {"quant_method": "fp8"}, "torch_dtype": "banana"}
    found = shape.of(Config({**LLAMA, **quantised}, "config.json"))
    assert found.format.name == "fp8"
    assert found.notes == (
        'torch_dtype "banana" is unknown: what is not quantised is taken as 16 bits',
    )


@pytest.mark.parametrize("name", ["float32", "torch.float16", "bf16"])
def test_a_number_type_has_several_names(name: str) -> None:
    assert shape.of(Config({**LLAMA, "dtype": name, "torch_dtype": None}, "c")).notes == ()


def test_defaults_of_transformers_are_said() -> None:
    notes = shape.of(Config(catalog.model("gemma-3-4b").config, "gemma")).notes
    assert "num_attention_heads 8" in notes[0]


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=0, max_value=64)
    | st.floats()
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_no_config_ends_in_a_traceback(data: st.DataObject, name: str) -> None:
    fields = json.loads(json.dumps(catalog.model(name).config))
    for key in data.draw(st.lists(st.sampled_from(sorted(fields)), max_size=3)):
        fields[key] = data.draw(ANYTHING)
    try:
        found = shape.of(Config(fields, "config.json"))
    except FlightlineError as error:
        assert error.message.startswith("config.json")
        return
    gpu = catalog.gpu("h100_sxm_80")
    fit = judged(Request(found, gpu, 8, found.longest_context or 4096, found.format))
    assert explain.lines(fit) and explain.assumptions(fit)
    assert fit.fits or all(judged(each.request).fits for each in remedies(fit))


@settings(max_examples=200, deadline=None)
@given(
    context=st.integers(1, 10**6),
    gpus=st.integers(1, 16),
    nodes=st.integers(1, 4),
    concurrency=st.integers(1, 1000),
    name=st.sampled_from(NAMES),
)
def test_more_of_anything_asked_never_fits_better(
    *, context: int, gpus: int, nodes: int, concurrency: int, name: str
) -> None:
    found = shape.of(Config(catalog.model(name).config, name))
    asked = Request(
        found, catalog.gpu("h200_sxm"), gpus, context, found.format, None, nodes, concurrency,
        is_stored_only=True,
    )  # fmt: skip
    fit = judged(asked)
    more = judged(Request(**{**vars(asked), "context": context + 1}))
    assert fit.fits or not more.fits
    assert fit.cache.sequence(context) <= more.cache.sequence(context + 1)
    assert fit.placement.gpus <= gpus * nodes
    if fit.fits:
        assert fit.largest_context >= context // 16 * 16
        assert fit.concurrency >= concurrency
