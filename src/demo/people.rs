//! The employees of the invented organisation, and the names of its tokens.

/// A team: its name, its members, and the systems that its tokens' names start with.
pub(super) struct Team {
    pub(super) name: &'static str,
    pub(super) people: &'static [&'static str],
    pub(super) systems: &'static [&'static str],
}

/// Meridian Ferries. The configuration's rules are made of the same systems.
pub(super) const TEAMS: &[Team] = &[
    Team {
        name: "platform",
        people: &["Ada Lund", "Bashir Noor", "Carmen Ortiz", "Dag Holm", "Ewa Zielinska", "Farid Haddad"],
        systems: &["jenkins", "renovate", "argocd", "terraform", "backstage"],
    },
    Team {
        name: "data",
        people: &["Grace Okafor", "Hugo Lindqvist", "Ines Duarte", "Jonas Weiss", "Keiko Mori"],
        systems: &["tableau", "dbt", "airflow", "warehouse"],
    },
    Team {
        name: "support",
        people: &["Liam Byrne", "Mei Tanaka", "Nadia Petrova", "Omar Farouk"],
        systems: &["helpdesk", "status", "chatops"],
    },
    Team {
        name: "security",
        people: &["Priya Raman", "Quentin Faure", "Rosa Alvarez"],
        systems: &["sast", "siem", "secrets-scan"],
    },
    Team {
        name: "operations",
        people: &["Sven Aalto", "Tariq Aziz", "Ulla Berg", "Vera Novak"],
        systems: &["timetable", "booking", "fleet"],
    },
];

const PURPOSES: &[&str] =
    &["deploy", "sync", "release-notes", "backup", "reports", "mirror", "triage", "import", "export", "metrics"];

/// The name of the `number`th token, unique, and the people who may own it.
pub(super) fn token_name(number: usize) -> (String, &'static [&'static str]) {
    let mut number = number;
    let mut pick = |count: usize| {
        let picked = number % count;
        number /= count;
        picked
    };
    let team = &TEAMS[pick(TEAMS.len())];
    let system = team.systems[pick(team.systems.len())];
    let purpose = PURPOSES[pick(PURPOSES.len())];
    let name = if number == 0 { format!("{system}-{purpose}") } else { format!("{system}-{purpose}-{}", number + 1) };
    (name, team.people)
}

/// A person's user name in Vault.
pub(super) fn login(person: &str) -> String {
    person.to_lowercase().replace(' ', ".")
}

pub(super) fn email(person: &str) -> String {
    format!("{}@example.com", login(person))
}

/// A person's Atlassian account ID.
pub(super) fn account_id(person: &str) -> String {
    let number = TEAMS.iter().flat_map(|team| team.people).position(|name| *name == person).unwrap_or_default();
    format!("712020:5f3a0c1e-0000-4000-8000-{number:012x}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn token_names_are_unique() {
        let names: BTreeSet<String> = (0..20_000).map(|number| token_name(number).0).collect();
        assert_eq!(names.len(), 20_000);
    }
}
