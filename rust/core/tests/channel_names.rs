//! What may be written as a channel or a pattern, and what is said about the rest.

use aether_core::channel::{
    Fault, FaultKind, Limits, MAX_TOKENS, Pattern, check_channel, check_token,
};
use proptest::prelude::*;

const LIMITS: Limits = Limits::DEFAULT;

fn parse(name: &str) -> Result<Pattern, Fault> {
    Pattern::parse(name, LIMITS)
}

#[track_caller]
fn assert_refused(name: &str, kind: FaultKind, token: usize) {
    let fault = parse(name).expect_err(name);
    assert_eq!((fault.kind, fault.token), (kind, token), "{name:?}");
    assert_eq!(check_channel(name, LIMITS), Err(fault), "{name:?}");
}

fn deep(tokens: usize) -> String {
    vec!["a"; tokens].join(".")
}

#[test]
fn concrete_channels_pass() {
    for name in [
        "a",
        "orders.payment.completed",
        "a-b_c:d/e.$SYS.#.%",
        "é.日本.🎈",
        "a\u{200b}b",
        "Orders.ORDERS.orders",
    ] {
        assert_eq!(check_channel(name, LIMITS), Ok(()), "{name:?}");
        let pattern = parse(name).unwrap();
        assert!(pattern.is_concrete());
        assert_eq!((pattern.as_str(), pattern.canonical()), (name, name));
    }
}

#[test]
fn patterns_pass_and_have_one_canonical_form() {
    for (name, canonical) in [
        ("*", ">"),
        (">", ">"),
        ("+", "+"),
        ("a.*", "a.>"),
        ("a.>", "a.>"),
        ("*.a", "+.a"),
        ("*.*", "+.>"),
        ("*.+", "+.+"),
        ("+.*.é.*", "+.+.é.>"),
    ] {
        let pattern = parse(name).unwrap();
        assert!(!pattern.is_concrete());
        assert_eq!((pattern.as_str(), pattern.canonical()), (name, canonical));
        assert_eq!(parse(canonical).unwrap().canonical(), canonical);
    }
}

#[test]
fn tokens_are_given_as_spelled() {
    let pattern = parse("a.*.+.*").unwrap();
    assert_eq!(pattern.tokens().collect::<Vec<_>>(), ["a", "*", "+", "*"]);
    assert_eq!(pattern.depth(), 4);
    assert_eq!(parse("a.b").unwrap().depth(), 2);
    assert_eq!(pattern.to_string(), "a.*.+.*");
}

#[test]
fn faults_point_at_the_token() {
    assert_refused("", FaultKind::Empty, 0);
    assert_refused(".", FaultKind::EmptyToken, 0);
    assert_refused(".a", FaultKind::EmptyToken, 0);
    assert_refused("a.", FaultKind::EmptyToken, 1);
    assert_refused("a..b", FaultKind::EmptyToken, 1);
    assert_refused("a.b c", FaultKind::Space, 1);
    assert_refused(" a", FaultKind::Space, 0);
    assert_refused("a.\u{3000}", FaultKind::Space, 1);
    assert_refused("a.b*", FaultKind::WildcardInside, 1);
    assert_refused("+a", FaultKind::WildcardInside, 0);
    assert_refused("a.**", FaultKind::WildcardInside, 1);
    assert_refused("a.é>", FaultKind::WildcardInside, 1);
    assert_refused("a.>.b", FaultKind::TailNotLast, 1);
    assert_refused(&"a".repeat(1025), FaultKind::TooLong, 0);
    assert_refused(&deep(33), FaultKind::TooManyTokens, 32);
}

#[test]
fn control_characters_and_white_space_are_refused_in_every_place() {
    let controls = (0..0x20).chain(0x7f..0xa0);
    for code in controls {
        let letter = char::from_u32(code).unwrap();
        assert_refused(&format!("a.b{letter}"), FaultKind::Control, 1);
        assert_refused(&format!("{letter}"), FaultKind::Control, 0);
    }
    for letter in
        "\u{20}\u{a0}\u{1680}\u{2000}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}".chars()
    {
        assert_refused(&format!("a.b{letter}c"), FaultKind::Space, 1);
    }
}

#[test]
fn a_pattern_is_no_channel() {
    for (name, token) in [("*", 0), ("a.*", 1), ("a.+.b", 1), ("a.b.>", 2)] {
        let fault = check_channel(name, LIMITS).unwrap_err();
        assert_eq!((fault.kind, fault.token), (FaultKind::Wildcard, token));
    }
}

#[test]
fn limits_are_inclusive_and_count_bytes() {
    assert!(parse(&"a".repeat(1024)).is_ok());
    assert!(parse(&"é".repeat(512)).is_ok());
    assert!(parse(&"é".repeat(513)).is_err());
    assert!(parse(&deep(32)).is_ok());
    assert!(parse(&format!("{}.*", deep(31))).is_ok());
    assert!(parse(&format!("{}.*", deep(32))).is_err());
}

#[test]
fn derived_channels_have_more_room_but_never_more_than_the_ceiling() {
    let derived = LIMITS.derived();
    assert_eq!((derived.max_tokens, derived.max_bytes), (34, 1088));
    assert!(check_channel(&deep(34), derived).is_ok());
    assert!(Pattern::parse(&format!("{}.é", deep(33)), derived).is_ok());
    for name in [deep(35), format!("{}.*", deep(34))] {
        let fault = Pattern::parse(&name, derived.derived()).unwrap_err();
        assert_eq!((fault.kind, fault.token), (FaultKind::TooManyTokens, MAX_TOKENS));
    }
}

#[test]
fn a_literal_token_is_one_token_without_wildcards() {
    for token in ["a", "é", "a-b", "#"] {
        assert_eq!(check_token(token, LIMITS), Ok(()));
    }
    for (token, kind) in [
        ("", FaultKind::Empty),
        ("a.b", FaultKind::Dot),
        ("*", FaultKind::Literal),
        ("+", FaultKind::Literal),
        (">", FaultKind::Literal),
        ("a*", FaultKind::WildcardInside),
        ("a b", FaultKind::Space),
        ("a\n", FaultKind::Control),
    ] {
        assert_eq!(check_token(token, LIMITS).unwrap_err().kind, kind, "{token:?}");
    }
    assert_eq!(
        check_token("a.b", LIMITS).unwrap_err().message("a.b"),
        "channel 'a.b': token 1 'a.b' has a dot in it; one token is needed here, \
         pass the tokens one by one"
    );
}

#[test]
fn messages_name_the_token_the_rule_and_the_remedy() {
    for (name, message) in [
        (
            "",
            "channel '': the name is empty; write one or more tokens joined by dots, such as \
             'orders.created'",
        ),
        (".a", "channel '.a': token 1 is empty; take the dot at the start away"),
        ("a.", "channel 'a.': token 2 is empty; take the dot at the end away"),
        ("a..b", "channel 'a..b': token 2 is empty; write a name between every two dots"),
        (
            "a.b c",
            "channel 'a.b c': token 2 'b c' has white space in it; names take none, write '-' \
             or '_'",
        ),
        (
            "a.b\n\u{7f}",
            "channel 'a.b\\n\\x7f': token 2 'b\\n\\x7f' has a control character in it; names \
             take none, take it out",
        ),
        (
            "a.b*",
            "channel 'a.b*': token 2 'b*' has a wildcard in it; '*', '+' and '>' are wildcards \
             and stand alone between dots",
        ),
        (
            "a.*",
            "channel 'a.*': token 2 '*' is a wildcard; emitting needs a concrete channel, write \
             a name in its place",
        ),
    ] {
        assert_eq!(check_channel(name, LIMITS).unwrap_err().message(name), message);
    }
    assert_eq!(
        parse("a.>.b").unwrap_err().message("a.>.b"),
        "channel 'a.>.b': token 2 '>' is not the last token; '>' ends a pattern and takes all \
         that follows, write '+' for exactly one token"
    );
    let deep = deep(40);
    assert_eq!(
        parse(&deep).unwrap_err().message(&deep),
        format!(
            "channel '{deep}': token 33 'a' is one too many; a name has at most 32 tokens, join \
             some of them into one"
        )
    );
}

#[test]
fn a_long_name_is_cut_in_its_message() {
    let long = "é".repeat(100_000);
    let message = parse(&long).unwrap_err().message(&long);
    assert!(message.contains("...': the name has 200000 bytes of UTF-8, at most 1024"));
    assert!(message.len() < 400);
}

/// The rules once more, in other words.
fn is_sound(name: &str, concrete: bool) -> bool {
    let tokens: Vec<&str> = name.split('.').collect();
    let sound = |(index, token): (usize, &&str)| match *token {
        "*" | "+" => !concrete,
        ">" => !concrete && index + 1 == tokens.len(),
        _ => {
            !token.is_empty()
                && !token.chars().any(|c| c.is_whitespace() || c.is_control() || "*+>".contains(c))
        }
    };
    name.len() <= 1024 && tokens.len() <= 32 && tokens.iter().enumerate().all(sound)
}

proptest! {
    #[test]
    fn the_checks_follow_the_rules(name in r"([a-c.é\u{1f}\u{85} ]|\.[*+>]|\.|b\*){0,12}") {
        prop_assert_eq!(check_channel(&name, LIMITS).is_ok(), is_sound(&name, true));
        let parsed = parse(&name);
        prop_assert_eq!(parsed.is_ok(), is_sound(&name, false));
        if let Ok(pattern) = parsed {
            prop_assert_eq!(pattern.is_concrete(), is_sound(&name, true));
            prop_assert_eq!(pattern.depth(), name.split('.').count());
        }
    }

    #[test]
    fn any_text_gets_an_answer(name in any::<String>()) {
        for fault in [check_channel(&name, LIMITS), check_token(&name, LIMITS)] {
            if let Err(fault) = fault {
                let message = fault.message(&name);
                prop_assert!(!message.contains(char::is_control));
            }
        }
        prop_assert_eq!(parse(&name).is_ok(), is_sound(&name, false));
    }
}
