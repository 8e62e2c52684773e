//! The shared tests, played over a socket.

#![allow(dead_code, clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod stage;

latchbook_adapter_tests::play_everywhere!(stage::over_sockets);
latchbook_adapter_tests::play_over_sockets!(stage::over_sockets);
