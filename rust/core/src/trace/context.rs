//! Where something is in its trace: the header `traceparent` of the W3C (Trace Context, level 2, section 3.2).
//!
//! Contract: what is written is read again as it was; of what others write, anything that breaks the rule is no context,
//! as the text demands. Versions to come are read as far as they agree with this one.

use std::fmt;

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanContext {
    /// Which trace; not 0.
    pub trace: u128,
    /// Which span of it; not 0.
    pub span: u64,
    /// Whether it is recorded.
    pub sampled: bool,
}

/// The length of what version 00 writes.
const LENGTH: usize = 55;

impl SpanContext {
    /// What a header says; `None` if it breaks the rule.
    pub fn parse(header: &str) -> Option<Self> {
        let bytes = header.as_bytes();
        if bytes.len() < LENGTH || !bytes.is_ascii() {
            return None;
        }
        let dashed = bytes[2] == b'-' && bytes[35] == b'-' && bytes[52] == b'-';
        let version = hex(&header[..2])?;
        let ends = match version {
            0 => bytes.len() == LENGTH,
            255 => false,
            _ => bytes.len() == LENGTH || bytes[LENGTH] == b'-',
        };
        if !dashed || !ends {
            return None;
        }
        let trace = hex(&header[3..35])?;
        let span = u64::try_from(hex(&header[36..52])?).ok()?;
        let sampled = hex(&header[53..55])? & 1 == 1;
        (trace != 0 && span != 0).then_some(Self { trace, span, sampled })
    }
}

impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// A number in lower case, without a sign.
fn hex(digits: &str) -> Option<u128> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !digits.bytes().all(lower) {
        return None;
    }
    u128::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_text_is_read() {
        let read = SpanContext::parse(GIVEN).unwrap();
        assert_eq!(read.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((read.span, read.sampled), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(read.to_string(), GIVEN);
    }

    #[test]
    fn what_breaks_the_rule_is_no_context() {
        for broken in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0\u{e4}-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
        ] {
            assert_eq!(SpanContext::parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn versions_to_come_are_read_as_far_as_they_agree() {
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02-more";
        assert!(!SpanContext::parse(later).unwrap().sampled);
        assert!(
            SpanContext::parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09")
                .unwrap()
                .sampled
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(trace in 1..u128::MAX, span in 1..u64::MAX, sampled: bool) {
            let context = SpanContext { trace, span, sampled };
            prop_assert_eq!(SpanContext::parse(&context.to_string()), Some(context));
        }

        #[test]
        fn anything_may_come(header in "\\PC{0,70}") {
            let _ = SpanContext::parse(&header);
        }
    }
}
