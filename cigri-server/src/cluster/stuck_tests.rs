//! Jobs that go neither on nor back, in virtual time.
