use axum::extract::FromRequestParts;
use latchbook_axum::Principal;

#[derive(Clone)]
struct App;

fn guards<S>()
where
    Principal: FromRequestParts<S>,
{
}

fn main() {
    guards::<App>();
}
