"""Checkpoints of known projects, which need no manifest: what each one would say there, found in its own files.

A project is one file here with ``PROJECT``, ``PRIORITY`` and ``propose(place)``; see :class:`Project`.
"""

from evalharness.models.torch.projects.proposal import Place, Project, Proposal, Saved, projects, propose

__all__ = ["Place", "Project", "Proposal", "Saved", "projects", "propose"]
