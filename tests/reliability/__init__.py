"""The simulator in virtual time, the state machine, failpoints, planted bugs. May import everything."""
