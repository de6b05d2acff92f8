//! Who works at the invented company, and what they call their tokens.

/// A team: its name, its people, and the systems whose names begin its tokens' names.
pub(super) struct Team {
    pub(super) name: &'static str,
    pub(super) people: &'static [&'static str],
    pub(super) systems: &'static [&'static str],
}

/// Meridian Ferries. The configuration's rules know the same systems.
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

/// The name of the token with this number, different from that of every other number, and the team that uses it.
pub(super) fn name(number: usize) -> (&'static Team, String) {
    let team = &TEAMS[number % TEAMS.len()];
    let number = number / TEAMS.len();
    let system = team.systems[number % team.systems.len()];
    let number = number / team.systems.len();
    let purpose = PURPOSES[number % PURPOSES.len()];
    let number = number / PURPOSES.len();
    let name = if number == 0 { format!("{system}-{purpose}") } else { format!("{system}-{purpose}-{}", number + 1) };
    (team, name)
}

/// A person's address.
pub(super) fn email(person: &str) -> String {
    format!("{}@example.com", person.to_lowercase().replace(' ', "."))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_tokens_share_a_name() {
        let names: BTreeSet<String> = (0..20_000).map(|number| name(number).1).collect();
        assert_eq!(names.len(), 20_000);
    }
}
