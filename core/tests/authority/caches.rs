//! Caches hold identity, never authority: a node that remembers gives the answers of one that was started just now.

use futures_executor::block_on;
use latchbook_core::authority::Refusal;
use latchbook_core::model::{EntityRef, UnixTime};
use proptest::prelude::*;

use crate::support::{HOST, Holder, House, LIVE, NOWHERE, START, Upkeep, entity, rejection};

/// Something that happens to a node.
#[derive(Clone, Copy, Debug)]
enum Step {
    Token(usize),
    EntityToken(usize),
    Revoke(usize),
    RevokeKey(usize),
    Suspend,
    Resume,
    RevokeTokens,
    RemoveEntity,
    MakeEntity,
    Retire,
    Rotate,
    Upkeep,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_usize).prop_map(Step::Token),
        4 => (0..3_usize).prop_map(Step::EntityToken),
        3 => any::<usize>().prop_map(Step::Revoke),
        1 => (0..3_usize).prop_map(Step::RevokeKey),
        1 => Just(Step::Suspend),
        2 => Just(Step::Resume),
        1 => Just(Step::RevokeTokens),
        1 => Just(Step::RemoveEntity),
        2 => Just(Step::MakeEntity),
        1 => Just(Step::Retire),
        2 => Just(Step::Rotate),
        3 => Just(Step::Upkeep),
        3 => prop_oneof![0..3_u64, 0..400_u64, 3_000..9_000_u64, Just(90_000_u64)].prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..24)
}

/// Nodes on one store, and what they were asked for so far.
struct Play {
    nodes: Vec<(House, Upkeep)>,
    keys: Vec<Holder>,
    entity: EntityRef,
    tokens: Vec<String>,
}

impl Play {
    fn one() -> Self {
        Self::of(House::new(), 0)
    }

    fn three() -> Self {
        Self::of(House::shared(), 2)
    }

    fn of(house: House, more: usize) -> Self {
        let first = house.holder("acme");
        let second = house.key_of(&first.developer, |_| {});
        let brief = house.key_of(&first.developer, |new| new.expires_at = Some(UnixTime::from_seconds(START + 500)));
        let entity = house.entity(&first, "acme-a");
        let mut nodes: Vec<_> = (0..more).map(|_| house.another(0)).collect();
        nodes.push(house);
        let with_upkeep = |house: House| {
            let upkeep = Upkeep::of(&house.authority);
            (house, upkeep)
        };
        let nodes = nodes.into_iter().map(with_upkeep).collect();
        Self { nodes, keys: vec![first, second, brief], entity, tokens: Vec::new() }
    }

    fn pass(&self, seconds: u64) {
        self.nodes.iter().for_each(|(house, _)| house.clock.advance(seconds));
    }

    /// Does `step` at the node `at`.
    fn make(&mut self, at: usize, step: Step) {
        if let Step::Pass(seconds) = step {
            return self.pass(seconds);
        }
        let at = at % self.nodes.len();
        let ((house, upkeep), developer) = (&mut self.nodes[at], &self.keys[0].developer);
        // What is refused, such as an exchange with a dead key, changes nothing.
        let done: Result<(), Refusal> = match step {
            Step::Token(key) => house.exchange(&self.keys[key]).map(|issued| {
                self.tokens.push(issued.token.expose().to_owned());
            }),
            Step::EntityToken(key) => {
                let issued = house.exchange_with(&self.keys[key], |exchange| exchange.entity = Some("acme-a"));
                issued.map(|issued| self.tokens.push(issued.token.expose().to_owned()))
            }
            Step::Revoke(_) if self.tokens.is_empty() => Ok(()),
            Step::Revoke(nth) => house.revoke_token(&self.tokens[nth % self.tokens.len()]),
            Step::RevokeKey(key) => house.revoke_key(&self.keys[key]),
            Step::Suspend => house.suspend(&self.keys[0]),
            Step::Resume => house.resume(&self.keys[0]),
            Step::RevokeTokens => block_on(house.authority.developers().revoke_tokens(&HOST, NOWHERE, developer)),
            Step::RemoveEntity => block_on(house.authority.entities().remove(&HOST, NOWHERE, &self.entity)),
            Step::MakeEntity => {
                let new =
                    latchbook_core::authority::NewEntity { id: Some(entity("acme-a")), legal_name: "Acme".to_owned() };
                block_on(house.authority.entities().create(&HOST, NOWHERE, developer, &new)).map(drop)
            }
            Step::Retire => house.retire(LIVE),
            Step::Rotate => block_on(house.authority.signing_keys().rotate(LIVE)).map(drop),
            Step::Upkeep => {
                upkeep.round();
                Ok(())
            }
            Step::Pass(_) => Ok(()),
        };
        if done.is_err() {
            rejection(done);
        }
    }

    /// What `house` answers to every token, without and with the entity.
    fn answers(&self, house: &House) -> Vec<(Result<String, String>, Result<String, String>)> {
        let answer = |token: &String| {
            let admitted = house.admit(token).map(|principal| format!("{principal:?} {:?}", principal.token_id()));
            let reached = house.reach(token, Some("acme-a")).map(|context| format!("{:?}", context.entity_ref()));
            (admitted.map_err(|refused| refused.to_string()), reached.map_err(|refused| refused.to_string()))
        };
        self.tokens.iter().map(answer).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_node_that_remembers_answers_as_one_that_was_started_just_now(steps in steps()) {
        let mut play = Play::one();
        for step in steps {
            play.make(0, step);
            let house = &play.nodes[0].0;
            let fresh = house.restarted(house.authority.now().seconds());
            prop_assert_eq!(play.answers(house), play.answers(&fresh), "after {:?}", step);
        }
    }

    #[test]
    fn r4_every_node_answers_so_within_the_bound(steps in steps(), at in proptest::collection::vec(0..3_usize, 24)) {
        let mut play = Play::three();
        for (step, at) in steps.into_iter().zip(at) {
            play.make(at, step);
            // The one that did it at once, the others within `max_staleness`.
            let house = &play.nodes[at].0;
            let fresh = house.restarted(house.authority.now().seconds());
            prop_assert_eq!(play.answers(house), play.answers(&fresh), "at {}, after {:?}", at, step);
            play.pass(6);
            let fresh = house.restarted(house.authority.now().seconds());
            let wanted = play.answers(&fresh);
            for (house, _) in &play.nodes {
                prop_assert_eq!(&play.answers(house), &wanted, "elsewhere, after {:?}", step);
            }
        }
    }
}

#[test]
fn a_cache_without_room_gives_the_same_answers() {
    let house = House::with(|builder| builder.cache_bytes(0));
    let holder = house.holder("acme");
    let tokens: Vec<_> = (0..50).map(|_| house.token(&holder)).collect();
    for token in tokens.iter().chain(&tokens) {
        assert!(house.admit(token).is_ok());
    }
    house.revoke_key(&holder).unwrap();
    assert!(tokens.iter().all(|token| house.admit(token).is_err()));
}

#[test]
fn a_token_is_recognised_by_its_whole_text_alone() {
    let house = House::new();
    let holder = house.holder("acme");
    let token = house.token(&holder);
    house.admit(&token).unwrap();
    for place in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let spoilt = String::from_utf8(bytes).unwrap();
        rejection(house.admit(&spoilt));
    }
    assert_eq!(house.authority.statistics().cached_tokens, 1, "only a token with a right signature gets in");
}

#[test]
fn nothing_cached_outlives_its_end() {
    let house = House::new();
    let token = house.token_for(&house.holder("acme"), 10);
    house.admit(&token).unwrap();
    house.clock.advance(10);
    rejection(house.admit(&token));
    assert_eq!(house.authority.statistics().cached_tokens, 0);
}
