"""A whole suite: scored scenario by scenario, in one process or many, taken up again where it was interrupted."""
