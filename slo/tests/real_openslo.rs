//! Published OpenSLO files against two independent verdicts.
