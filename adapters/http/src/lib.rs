//! latchbook's wire contract without a framework.
