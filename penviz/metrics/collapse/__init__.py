"""Numbers over all classes: neural collapse, norms, ranks, margins, and their moments."""
