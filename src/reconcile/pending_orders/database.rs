//! Which database.

use super::{mysql, postgres};
use crate::domain::secret::Secret;
use std::path::{Path, PathBuf};

/// A database, by its URL.
#[derive(Debug, Clone)]
pub enum Database {
    /// `sqlite:PATH`
    Sqlite(PathBuf),
    /// `postgres://USER:PASSWORD@HOST/DATABASE`
    Postgres(Secret),
    /// `mysql://USER:PASSWORD@HOST/DATABASE`, MariaDB too.
    MySql(Secret),
}

/// Why a text names no database. The text is not repeated: it may have a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Another database, or no URL.
    #[error("is no URL of a database that can be read")]
    Scheme,
    /// `sqlite:` and nothing.
    #[error("names no file")]
    NoFile,
    /// Not as PostgreSQL's URLs are.
    #[error("is no usable URL of PostgreSQL")]
    Postgres,
    /// Not as MySQL's URLs are.
    #[error("is no usable URL of MySQL or MariaDB")]
    MySql,
}

impl Database {
    /// Reads a URL; opens no connection. The path of an SQLite file starts at `directory` if it is relative.
    ///
    /// # Errors
    /// If nothing could be read there.
    pub fn parse(url: &Secret, directory: &Path) -> Result<Self, BadUrl> {
        let text = url.expose();
        let (scheme, rest) = text.split_once(':').ok_or(BadUrl::Scheme)?;
        match scheme {
            "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => Err(BadUrl::NoFile),
                path => Ok(Self::Sqlite(directory.join(path))),
            },
            "postgres" | "postgresql" => {
                postgres::is_url(text).then(|| Self::Postgres(url.clone())).ok_or(BadUrl::Postgres)
            }
            "mysql" | "mariadb" => mysql::is_url(text).then(|| Self::MySql(url.clone())).ok_or(BadUrl::MySql),
            _ => Err(BadUrl::Scheme),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Database, BadUrl> {
        Database::parse(&Secret::new(url.to_owned()), Path::new("/etc/tollgate"))
    }

    #[test]
    fn the_scheme_says_which_database_it_is() {
        for (url, wanted) in [
            ("sqlite:shop.db", "/etc/tollgate/shop.db"),
            ("sqlite://shop.db", "/etc/tollgate/shop.db"),
            ("sqlite:/srv/shop.db", "/srv/shop.db"),
            ("sqlite:///srv/shop.db", "/srv/shop.db"),
        ] {
            assert!(matches!(parse(url), Ok(Database::Sqlite(path)) if path == Path::new(wanted)), "{url}");
        }
        for url in
            ["postgres://u:p@db/shop", "postgresql://u@db:5433/shop?sslmode=verify-full", "postgres:///shop?host=/run"]
        {
            assert!(matches!(parse(url), Ok(Database::Postgres(_))), "{url}");
        }
        for url in ["mysql://u:p%40@db/shop", "mariadb://u@db:3307/shop?require_ssl=true"] {
            assert!(matches!(parse(url), Ok(Database::MySql(_))), "{url}");
        }
    }

    #[test]
    fn an_unusable_url_is_refused_without_being_repeated() {
        for (url, wanted) in [
            ("", BadUrl::Scheme),
            ("shop.db", BadUrl::Scheme),
            ("sqlserver://sa:hunter2@db/shop", BadUrl::Scheme),
            ("sqlite:", BadUrl::NoFile),
            ("sqlite://", BadUrl::NoFile),
            ("postgres://u:hunter2@db:port/shop", BadUrl::Postgres),
            ("postgres://u:hunter2@db/shop?colour=red", BadUrl::Postgres),
            ("mysql:u:hunter2@db", BadUrl::MySql),
            ("mysql://u:hunter2@db/shop?colour=red", BadUrl::MySql),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error, wanted, "{url}");
            assert!(!error.to_string().contains("hunter2"));
        }
        assert!(!format!("{:?}", parse("mysql://u:hunter2@db/shop")).contains("hunter2"));
    }
}
