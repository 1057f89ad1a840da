//! Any text as a name, under several limits: what is taken, what is refused, and where the fault is said to be.

use aether_core::channel::{
    Fault, FaultKind, Limits, MAX_TOKENS, Pattern, check_channel, check_token, covers, matches,
    overlaps,
};

const LIMITS: [Limits; 4] = [
    Limits::DEFAULT,
    Limits::DEFAULT.derived(),
    Limits { max_tokens: 3, max_bytes: 12 },
    Limits { max_tokens: usize::MAX, max_bytes: usize::MAX },
];

/// The first byte chooses the limits, the others are the name.
pub fn run(data: &[u8]) {
    let Some((&choice, name)) = data.split_first() else { return };
    let limits = LIMITS[usize::from(choice) % LIMITS.len()];
    let name = &*String::from_utf8_lossy(name);
    let expected = rules(name, limits);
    let wildcard = name.split('.').position(|token| matches!(token, "*" | "+" | ">"));

    let parsed = Pattern::parse(name, limits);
    assert_eq!(parsed.as_ref().map(drop).map_err(place), expected);
    let concrete = match (expected, wildcard) {
        (Ok(()), Some(token)) => Err((FaultKind::Wildcard, token)),
        (said, _) => said,
    };
    let checked = check_channel(name, limits);
    assert_eq!(checked.as_ref().map(drop).map_err(place), concrete);
    let token = check_token(name, limits);
    assert_eq!(token.is_ok(), concrete.is_ok() && !name.contains('.'));

    for fault in [parsed.as_ref().err(), checked.as_ref().err(), token.as_ref().err()] {
        let Some(fault) = fault else { continue };
        let message = fault.message(name);
        assert!(message.starts_with("channel '") && !message.contains(char::is_control));
        assert!(message.len() < 1_600, "a long name is cut");
    }
    if let Ok(pattern) = parsed {
        sound(&pattern, name, limits, checked.is_ok());
    }
}

fn place(fault: &Fault) -> (FaultKind, usize) {
    (fault.kind, fault.token)
}

/// The rules of a pattern: the first that is broken, and where.
fn rules(name: &str, limits: Limits) -> Result<(), (FaultKind, usize)> {
    if name.is_empty() {
        return Err((FaultKind::Empty, 0));
    }
    if name.len() > limits.max_bytes {
        return Err((FaultKind::TooLong, 0));
    }
    let last = name.matches('.').count();
    for (at, token) in name.split('.').enumerate() {
        let strange =
            token.chars().find(|&c| c.is_control() || c.is_whitespace() || "*+>".contains(c));
        let kind = match (token, strange) {
            _ if at >= limits.max_tokens.min(MAX_TOKENS) => FaultKind::TooManyTokens,
            ("", _) => FaultKind::EmptyToken,
            (">", _) if at < last => FaultKind::TailNotLast,
            ("*" | "+" | ">", _) | (_, None) => continue,
            (_, Some('*' | '+' | '>')) => FaultKind::WildcardInside,
            (_, Some(c)) if c.is_control() => FaultKind::Control,
            (_, Some(_)) => FaultKind::Space,
        };
        return Err((kind, at));
    }
    Ok(())
}

/// What holds for a pattern that was taken.
fn sound(pattern: &Pattern, name: &str, limits: Limits, concrete: bool) {
    assert_eq!((pattern.as_str(), pattern.to_string().as_str()), (name, name));
    assert_eq!(pattern.tokens().collect::<Vec<_>>().join("."), name);
    assert_eq!(pattern.depth(), name.split('.').count());
    assert_eq!(pattern.is_concrete(), concrete);
    assert!(matches(pattern, name), "a wildcard takes any token, one that looks like it too");
    let canonical = Pattern::parse(pattern.canonical(), limits).expect("as sound as its spelling");
    assert_eq!(canonical.canonical(), pattern.canonical());
    assert_eq!(canonical.as_str().len(), name.len());
    assert!(!canonical.as_str().contains('*'));
    assert!(covers(pattern, &canonical) && covers(&canonical, pattern));
    assert!(overlaps(pattern, &canonical));
}
