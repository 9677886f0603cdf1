from evalharness.models.torch.projects.proposal import Proposal
from evalharness.pipeline import initialising


def test_a_project_that_is_installed_needs_no_line_that_makes_its_model(tmp_path):
    proposal = Proposal("litgpt", tmp_path / "out", "litgpt.model:GPT", {"n_layer": 2}, needs_trust=False)
    assert not [*initialising._model_lines(proposal, tmp_path)]
