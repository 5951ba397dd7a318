//! Records that say nothing by themselves, marked so that readers can fold them.

use std::fmt;
use std::str::FromStr;

/// What kind of noise an event is. A mark of the record, not of Docker's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Noise {
    /// A health check's probe: what it found out is told by `health_status`, which is no noise.
    HealthCheck,
}

impl Noise {
    const ALL: [Self; 1] = [Self::HealthCheck];

    /// As it stands in records and filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::HealthCheck => "healthcheck",
        }
    }

    /// As it is stored; 0 is for what is none.
    pub(crate) fn code(noise: Option<Self>) -> u8 {
        match noise {
            None => 0,
            Some(Self::HealthCheck) => 1,
        }
    }

    /// The reverse of [`Noise::code`].
    ///
    /// # Errors
    /// For a number that it never gives.
    pub(crate) fn from_code(code: u8) -> Result<Option<Self>, UnknownNoise> {
        let all = std::iter::once(None).chain(Self::ALL.into_iter().map(Some));
        all.into_iter().find(|noise| Self::code(*noise) == code).ok_or(UnknownNoise)
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No noise has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("noise is healthcheck or not there")]
pub struct UnknownNoise;

impl FromStr for Noise {
    type Err = UnknownNoise;

    fn from_str(text: &str) -> Result<Self, UnknownNoise> {
        Self::ALL.into_iter().find(|noise| noise.name() == text).ok_or(UnknownNoise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read_as_they_are_written() {
        for noise in std::iter::once(None).chain(Noise::ALL.into_iter().map(Some)) {
            assert_eq!(Noise::from_code(Noise::code(noise)), Ok(noise));
            assert_eq!(noise.map(|noise| noise.name().parse()), noise.map(Ok));
        }
        assert_eq!((Noise::from_code(200), "x".parse::<Noise>()), (Err(UnknownNoise), Err(UnknownNoise)));
    }
}
