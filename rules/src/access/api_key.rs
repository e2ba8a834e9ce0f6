//! API keys: their form, and how they are compared.
//!
//! `sk_live_` (or `sk_test_`, `pk_live_`, `pk_test_`: as in the dialects; `rk_live_`, `rk_test_`: restricted), 12 characters of id, 43 of secret (256
//! random bits), 6 of checksum. The prefix and the id together are the key's name. Only the holder knows the whole key:
//! the database stores its SHA-256. For 256 random bits a plain hash is enough, since they cannot be guessed. Only
//! letters and digits follow the prefix, so that scanners for secrets find it and a double click selects it.

use rand::Rng;
use rand::distr::{Alphanumeric, SampleString};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::credential::{Environment, Kind};

/// SHA-256 of a key.
pub type Digest = [u8; 32];

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The length of the prefix.
pub const PREFIX: usize = 8;
const ID: usize = 12;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
/// The length of a key's name.
pub const NAME: usize = PREFIX + ID;
const LENGTH: usize = NAME + SECRET + CHECKSUM;

/// A key just made. This is the only time that its text is returned.
pub struct NewKey {
    pub text: String,
    pub digest: Digest,
}

impl NewKey {
    pub fn api_key_id(&self) -> &str {
        &self.text[..NAME]
    }
}

/// The parts of a key that are known without looking it up.
#[derive(Debug, PartialEq, Eq)]
pub struct Presented<'a> {
    pub api_key_id: &'a str,
    pub digest: Digest,
}

fn prefix(kind: Kind, environment: Environment) -> &'static str {
    match (kind, environment) {
        (Kind::Secret, Environment::Live) => "sk_live_",
        (Kind::Secret, Environment::Test) => "sk_test_",
        (Kind::Restricted, Environment::Live) => "rk_live_",
        (Kind::Restricted, Environment::Test) => "rk_test_",
        (Kind::Publishable, Environment::Live) => "pk_live_",
        (Kind::Publishable, Environment::Test) => "pk_test_",
    }
}

pub const PREFIXES: [&str; 6] = ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_"];

/// Random bytes from the operating system.
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    UnwrapErr(SysRng).fill_bytes(&mut bytes);
    bytes
}

/// Makes a key.
pub fn generate(kind: Kind, environment: Environment) -> NewKey {
    let mut text = prefix(kind, environment).to_owned();
    Alphanumeric.append_string(&mut UnwrapErr(SysRng), &mut text, ID + SECRET);
    text.push_str(&checksum(&text));
    NewKey { digest: Sha256::digest(&text).into(), text }
}

/// Reads a key: its shape and its checksum. So a typo costs no look-up.
pub fn parse(text: &str) -> Option<Presented<'_>> {
    let shaped = text.len() == LENGTH
        && PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        && text.as_bytes()[PREFIX..].iter().all(u8::is_ascii_alphanumeric);
    if !shaped || checksum(&text[..NAME + SECRET]) != text[NAME + SECRET..] {
        return None;
    }
    Some(Presented { api_key_id: &text[..NAME], digest: Sha256::digest(text).into() })
}

/// The id in a text that is an id or a whole key.
pub fn id_of(text: &str) -> Option<&str> {
    let shaped = PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        && text.as_bytes()[PREFIX..].iter().all(u8::is_ascii_alphanumeric);
    (shaped && (text.len() == NAME || parse(text).is_some())).then(|| &text[..NAME])
}

/// Returns true if a text is meant to be a key.
pub fn looks_like(text: &str) -> bool {
    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

/// Compares in a time that does not depend on where they differ. `None` stands for an unknown key: it equals nothing,
/// and the comparison takes as long.
pub fn matches(presented: &Digest, stored: Option<&Digest>) -> bool {
    let equal = presented.ct_eq(stored.unwrap_or(&[0; 32]));
    bool::from(equal) && stored.is_some()
}

/// CRC-32 in base 62.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [0; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_kind_and_environment_and_is_read_again() {
        for (kind, environment, prefix) in [
            (Kind::Secret, Environment::Live, "sk_live_"),
            (Kind::Restricted, Environment::Live, "rk_live_"),
            (Kind::Publishable, Environment::Test, "pk_test_"),
        ] {
            let key = generate(kind, environment);
            assert!(key.text.starts_with(prefix));
            assert_eq!(key.text.len(), 69);
            let presented = parse(&key.text).expect("well-formed");
            assert_eq!(presented.api_key_id, key.api_key_id());
            assert_eq!(presented.api_key_id.len(), 20);
            assert!(matches(&presented.digest, Some(&key.digest)));
            assert!(!matches(&presented.digest, None));
        }
    }

    #[test]
    fn no_two_keys_are_alike_and_every_character_occurs() {
        let keys: Vec<_> = (0..500).map(|_| generate(Kind::Secret, Environment::Live).text).collect();
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        for character in ALPHABET {
            let count =
                keys.iter().flat_map(|key| key[PREFIX..NAME + SECRET].bytes()).filter(|c| c == character).count();
            // 27,500 characters: 443 of each, give or take 21; a count ten times that far off is out of the question.
            assert!((233..653).contains(&count), "{character}: {count}");
        }
    }

    #[test]
    fn every_single_changed_character_is_noticed_without_a_look_up() {
        let key = generate(Kind::Secret, Environment::Test).text;
        for at in 0..key.len() {
            for other in ALPHABET {
                let mut changed = key.clone().into_bytes();
                if changed[at] == *other {
                    continue;
                }
                changed[at] = *other;
                let changed = String::from_utf8(changed).expect("ASCII");
                assert_eq!(parse(&changed), None, "{at}");
            }
            let mut shorter = key.clone();
            shorter.remove(at);
            assert_eq!(parse(&shorter), None);
        }
        for text in [
            "",
            "sk_live_",
            &key.to_uppercase(),
            &format!("{key} "),
            &format!(" {key}"),
            &key.replace("sk_", "rk_"),
            "é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_id_is_told_from_what_may_be_a_secret() {
        let key = generate(Kind::Secret, Environment::Live);
        assert_eq!(id_of(&key.text), Some(key.api_key_id()));
        assert_eq!(id_of(key.api_key_id()), Some(key.api_key_id()));
        for text in
            ["", "sk_live_", &key.text[..NAME + 1], &key.text[NAME..], &key.text[..NAME - 1], "sk_live_0123456789a\n"]
        {
            assert_eq!(id_of(text), None, "{text}");
        }
    }

    /// The check value of CRC-32/ISO-HDLC, so that other programs can compute the checksum: cbf43926, in base 62.
    #[test]
    fn the_checksum_is_crc_32() {
        let digits = checksum("123456789");
        let value = digits.bytes().fold(0_u64, |value, digit| {
            value * 62 + ALPHABET.iter().position(|c| *c == digit).expect("base 62") as u64
        });
        assert_eq!(value, 0xcbf4_3926);
    }
}
