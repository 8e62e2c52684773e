use axum::extract::{FromRef, FromRequestParts};
use latchbook_axum::{Gate, Principal};

#[derive(Clone)]
struct App {
    gate: Gate,
}

impl FromRef<App> for Gate {
    fn from_ref(app: &App) -> Self {
        app.gate.clone()
    }
}

fn guards<S>()
where
    Principal: FromRequestParts<S>,
{
}

fn main() {
    guards::<App>();
}
