//! Which waves are wanted, asked of their records: no payload is decoded.

use aether_core::channel::Pattern;

use crate::record::Wave;

/// Which waves are wanted: those that fit everything that is said.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of channels that this takes.
    pub pattern: Option<Pattern>,
    /// With greater sequences.
    pub after: Option<u64>,
    /// With lesser sequences.
    pub before: Option<u64>,
    /// Made then or later, in Unix seconds.
    pub since: Option<f64>,
    /// Made earlier, in Unix seconds.
    pub until: Option<f64>,
    /// Of this amplitude or more.
    pub amplitude: Option<f64>,
    /// Of this source.
    pub source: Option<String>,
    /// With all of these headers.
    pub headers: Vec<(String, String)>,
}

impl Filter {
    /// Whether a wave is wanted. What is not said fits all; a NaN on either side fits nothing.
    #[inline]
    pub fn takes(&self, wave: &Wave<'_>) -> bool {
        let Self { pattern, after, before, since, until, amplitude, source, headers } = self;
        after.is_none_or(|after| wave.sequence > after)
            && before.is_none_or(|before| wave.sequence < before)
            && since.is_none_or(|since| wave.time >= since)
            && until.is_none_or(|until| wave.time < until)
            && amplitude.is_none_or(|amplitude| wave.amplitude >= amplitude)
            && source.as_ref().is_none_or(|source| wave.source == Some(source))
            && pattern.as_ref().is_none_or(|pattern| pattern.matches(wave.channel))
            && headers.iter().all(|(name, text)| wave.headers.get(name) == Some(text))
    }
}

#[cfg(test)]
mod tests {
    use aether_core::channel::Limits;

    use super::*;
    use crate::record::HeaderBytes;

    #[test]
    fn each_condition_takes_and_refuses() {
        let headers = HeaderBytes::new([("trace", "7"), ("user", "ada")]);
        let wave = Wave {
            sequence: 10,
            time: 100.0,
            source: Some("shop"),
            amplitude: 0.5,
            headers: headers.view(),
            ..Wave::plain("orders.created", &[])
        };
        let pattern = |name| Pattern::parse(name, Limits::default()).ok();
        let none = Filter::default;
        let pair = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
        let taken = [
            none(),
            Filter { pattern: pattern("orders.*"), ..none() },
            Filter { after: Some(9), before: Some(11), ..none() },
            Filter { since: Some(100.0), until: Some(100.5), ..none() },
            Filter { amplitude: Some(0.5), ..none() },
            Filter { source: Some("shop".into()), ..none() },
            Filter { headers: pair("user", "ada"), ..none() },
        ];
        let refused = [
            Filter { pattern: pattern("orders"), ..none() },
            Filter { after: Some(10), ..none() },
            Filter { before: Some(10), ..none() },
            Filter { since: Some(100.5), ..none() },
            Filter { until: Some(100.0), ..none() },
            Filter { since: Some(f64::NAN), ..none() },
            Filter { amplitude: Some(0.75), ..none() },
            Filter { source: Some("shop2".into()), ..none() },
            Filter { headers: pair("user", "bob"), ..none() },
            Filter { headers: pair("none", ""), ..none() },
        ];
        for filter in taken {
            assert!(filter.takes(&wave), "{filter:?}");
        }
        for filter in refused {
            assert!(!filter.takes(&wave), "{filter:?}");
        }
        let nameless = Wave { source: None, ..wave };
        assert!(!Filter { source: Some(String::new()), ..none() }.takes(&nameless));
    }
}
