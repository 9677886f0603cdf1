"""The kinds of repair, one file each: see :class:`evalharness.diagnosis.repair.Repair`."""
