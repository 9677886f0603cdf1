import copy
from dataclasses import replace

import peft
import pytest
import torch
from plants_adapter import adapted, lora, lora_parts, scale_by_four, switch_off, zero
from small_sound import of, sound

from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.adapter import adapter
from evalharness.diagnosis.trials.random_adapter import random_adapter
from evalharness.models.protocols import AdapterFacts
from evalharness.models.torch.adapted import adapter_facts, merged_facts
from evalharness.records import Finding, NotTestable, RuledOut


def kinds(outcomes):
    return {type(outcome) for outcome in outcomes}


def finding(outcomes):
    return next(outcome for outcome in outcomes if isinstance(outcome, Finding))


@pytest.mark.parametrize("family", ["plain", "llama"])
def test_a_trained_adapter_is_cleared_of_everything(family):
    (cleared,) = adapter(Measured(adapted(family)))
    assert isinstance(cleared, RuledOut)
    assert cleared.evidence["kl_low"] > 0.001
    assert cleared.evidence["times_median"] == pytest.approx(1.0, abs=1e-4)


def test_the_effect_of_an_adapter_stands_beside_that_of_a_random_one_of_its_norm():
    made = adapted("plain")
    (part, *_) = lora_parts(made.model.module)
    before = part.get_delta_weight("default")
    with random_adapter(made.model.module, 0):
        drawn = part.get_delta_weight("default")
    assert float(drawn.norm()) == pytest.approx(float(before.norm()), rel=1e-3)
    assert not torch.allclose(drawn, before, atol=1e-3)
    assert torch.equal(part.get_delta_weight("default"), before)
    (cleared,) = adapter(Measured(made))
    assert cleared.evidence["random_kl_nats"] > 0
    assert random_adapter(sound("plain"), 0) is None


def test_an_adapter_of_step_zero_rightly_changes_nothing():
    assert kinds(adapter(Measured(adapted("plain", spoil=zero, step=0)))) == {RuledOut}


def test_an_adapter_that_changes_nothing_at_no_known_step_is_not_testable(golden_text):
    outcomes = adapter(Measured(adapted("plain", spoil=zero, step=None)))
    assert Finding not in kinds(outcomes)
    golden_text(outcome.reason for outcome in outcomes if isinstance(outcome, NotTestable))


def test_an_adapter_after_one_tiny_step_is_not_called_absent():
    def shrink(module):
        for part in lora_parts(module):
            part.lora_B["default"].weight.data *= 1e-9

    assert Finding not in kinds(adapter(Measured(adapted("plain", spoil=shrink, step=1, original=False))))


def test_without_the_weights_beneath_twice_can_not_be_told_and_is_said_so():
    (cleared,) = adapter(Measured(adapted("plain", original=False)))
    assert "kl_nats" in cleared.evidence
    assert "times_median" not in cleared.evidence
    assert "[model] merged_adapter" in cleared.claim


def test_an_adapter_over_another_base_is_not_called_twice():
    def other(module):
        torch.manual_seed(9)
        for part in lora_parts(module):
            part.get_base_layer().weight.data += 0.5 * torch.randn_like(part.get_base_layer().weight)

    outcomes = adapter(Measured(adapted("plain", over=other)))
    assert Finding not in kinds(outcomes)
    assert any(isinstance(outcome, NotTestable) and outcome.kind == "undecided" for outcome in outcomes)


def test_names_that_found_no_place_are_a_cause():
    made = adapted("plain")
    facts = replace(made.adapter, unmatched=("layers.9.qkv.lora_A.weight",))
    found = finding(adapter(Measured(replace(made, adapter=facts))))
    assert found.severity == "cause"
    assert found.evidence["unmatched"] == 1
    assert isinstance(finding(adapter(Measured(replace(made, adapter=AdapterFacts((), ("a",)))))), Finding)


def test_an_adapter_that_is_off_in_one_layer_is_found_where_the_weights_are_known():
    def one_off(module):
        lora_parts(module)[0].enable_adapters(False)

    found = finding(adapter(Measured(adapted("plain", spoil=one_off))))
    assert found.evidence["wrong_weights"] == 1
    assert found.evidence["times_median"] == pytest.approx(1.0, abs=1e-4)


def test_the_effect_alone_can_be_asked_and_is_never_called_absent_without_its_tensors():
    made = adapted("plain", spoil=switch_off)
    outcomes = adapter(Measured(replace(made, adapter=None)))
    assert kinds(outcomes) == {NotTestable}
    assert kinds(adapter(Measured(replace(adapted("plain"), adapter=None)))) == {RuledOut}


def merged(times, *, dtype=torch.float32, scale=1.0, family="plain"):
    """A file that an adapter was merged into so many times."""
    made = adapted(family)
    before = {name: tensor.to(dtype) for name, tensor in sound(family).state_dict().items()}
    after, file = dict(before), {}
    for weight, part in zip(made.adapter.weights, lora_parts(made.model.module), strict=True):
        file[f"{weight.name}.lora_A.weight"] = part.lora_A["default"].weight
        file[f"{weight.name}.lora_B.weight"] = part.lora_B["default"].weight
        whole = before[f"{weight.name}.weight"].float() + times * scale * weight.change()
        after[f"{weight.name}.weight"] = whole.to(dtype)
    facts = merged_facts(after, before, file, lora(family), step=40)
    return replace(of(sound(family)), adapter=facts)


@pytest.mark.parametrize("family", ["plain", "llama"])
@pytest.mark.parametrize(("times", "words"), [(0, "not at all"), (2, "twice"), (0.5, "0.50 times")])
def test_a_merged_file_tells_how_often_the_adapter_is_in_it(family, times, words):
    found = finding(adapter(Measured(merged(times, family=family))))
    assert words in found.claim
    assert found.evidence["times_median"] == pytest.approx(times, abs=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_file_that_was_merged_once_is_cleared_in_any_precision(dtype):
    outcomes = adapter(Measured(merged(1, dtype=dtype)))
    assert Finding not in kinds(outcomes)
    assert any(isinstance(outcome, RuledOut) and "once" in outcome.claim for outcome in outcomes)


def test_a_merged_file_that_lacks_a_weight_of_the_adapter_is_found():
    facts = merged_facts(
        {}, {}, {"x.lora_A.weight": torch.ones(2, 4), "x.lora_B.weight": torch.ones(4, 2)}, lora("plain")
    )
    assert facts.unmatched == ("x.lora_A.weight",)


def test_one_row_gives_an_answer():
    made = adapted("plain")
    one = replace(made.validation, encoded=made.validation.encoded[:1])
    outcomes = adapter(Measured(replace(made, validation=one, train=None)))
    assert kinds(outcomes) == {RuledOut}


def test_a_scale_of_its_own_for_each_module_is_no_fault():
    import peft

    config = peft.LoraConfig(
        r=4, lora_alpha=16, target_modules=["qkv"], rank_pattern={"layers.0.qkv": 2}, use_rslora=True
    )
    module = peft.inject_adapter_in_model(config, sound("plain"))
    facts = adapter_facts(module, config, step=0)
    assert [weight.scale for weight in facts.weights] == pytest.approx([w.configured_scale for w in facts.weights])
    assert facts.weights[0].scale == pytest.approx(16 / 2**0.5)
    scale_by_four(module)
    assert adapter_facts(module, config).weights[0].scale == pytest.approx(4 * 16 / 2**0.5)


def leave_last(module, *, out_of=lambda parts: parts[:-1]):
    for part in out_of(lora_parts(module)):
        part.lora_B["default"].weight.data.zero_()


@pytest.mark.parametrize("family", ["plain", "llama"])
def test_an_adapter_whose_weights_but_one_never_learned_is_named_with_its_modules(family):
    made = adapted(family, spoil=leave_last)
    (found,) = adapter(Measured(made))
    assert isinstance(found, Finding)
    assert found.severity == "contributing"
    names = [weight.name for weight in made.adapter.weights]
    assert found.evidence["modules"] == names[:-1]
    assert found.evidence["gradient_is_there"]
    assert not any(parameter.requires_grad for parameter in made.torch_model.module.parameters())


def test_one_weight_that_never_learned_is_a_note():
    (found,) = adapter(Measured(adapted("llama", spoil=lambda m: leave_last(m, out_of=lambda parts: parts[:1]))))
    assert (found.severity, found.evidence["never_learned"]) == ("note", 1)


def test_weights_that_text_does_not_reach_rightly_learned_nothing():
    class Beside(torch.nn.Module):
        """A layer that only images would reach."""

        def __init__(self, inner):
            super().__init__()
            self.inner, self.images = inner, torch.nn.ModuleDict({"qkv": torch.nn.Linear(32, 32)})

        def forward(self, ids):
            return self.inner(ids)

    module = peft.inject_adapter_in_model(lora("plain"), Beside(copy.deepcopy(sound("plain"))))
    for part in lora_parts(module)[:-1]:
        torch.nn.init.normal_(part.lora_B["default"].weight, std=0.1)
    module.eval().requires_grad_(False)
    made = of(module)
    facts = adapter_facts(module, lora("plain"), step=40)
    assert sum(not bool(weight.change().any()) for weight in facts.weights) == 1
    (found,) = adapter(Measured(replace(made, adapter=facts)))
    assert not isinstance(found, Finding)
