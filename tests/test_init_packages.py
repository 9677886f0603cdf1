from evalharness.models.torch.projects.proposal import Proposal
from evalharness.pipeline import initialising


def test_a_class_of_an_installed_package_is_named_by_its_module(tmp_path):
    proposal = Proposal(project="litgpt", folder=tmp_path / "out", factory="litgpt.model:GPT", needs_trust=False)
    (line, *_) = initialising._model_lines(proposal, tmp_path)
    assert line.value == "litgpt.model:GPT"
