//! One `[[method]]` in root's files, changed where it stands; comments and all else stay.

use std::fs::File;
use std::path::{Path, PathBuf};

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value};

use super::stage::{Change, Stage, failed};
use super::{Configuration, Parameters};
use crate::failure::Failure;

/// What `set` leaves as it is unless it is told otherwise: what the method is, who uses it and
/// whether it is in use. A disabled method does not come back because its digits change.
const KEPT: [&str; 4] = ["name", "type", "directories", "enabled"];

/// What stands above a method in a file that was made for it.
const HEAD: &str = "# Made by otpctl method; it may be changed by hand.\n";

/// One method of the files, about to be changed. No other otpctl changes them meanwhile.
pub(crate) struct Edit {
    configuration: Configuration,
    name: String,
    /// The file that the method is in, or is going to be in.
    path: PathBuf,
    /// What the file says; `None` where there is no such file.
    before: Option<String>,
    document: DocumentMut,
    /// The method's place among the file's methods, where it is there.
    place: Option<usize>,
    _lock: File,
}

impl Edit {
    /// Finds the method in the files that belong to `main`. One that is in none gets a file of its
    /// own among the drop-ins.
    ///
    /// # Errors
    /// The files are wrong already, or cannot be read; a method that stands where it cannot be
    /// changed.
    pub(crate) fn open(main: Option<&Path>, name: &str) -> Result<Self, Failure> {
        let lock = lock(main.unwrap_or(Path::new(MAIN_FOLDER)), main.is_some())?;
        let configuration = Configuration::read(main)?;
        for path in &configuration.files {
            let (text, document) = read(path)?;
            if let Some(place) = find(&document, name, path)? {
                let (path, before) = (path.clone(), Some(text));
                let (name, place) = (name.to_owned(), Some(place));
                return Ok(Self {
                    configuration,
                    name,
                    path,
                    before,
                    document,
                    place,
                    _lock: lock,
                });
            }
        }
        let drop_ins = configuration.main.with_extension("d");
        let path = drop_ins.join(format!("method-{name}.toml"));
        let (before, document) = match configuration.files.contains(&path) {
            true => read(&path).map(|(text, document)| (Some(text), document))?,
            false => (None, DocumentMut::new()),
        };
        let name = name.to_owned();
        Ok(Self { configuration, name, path, before, document, place: None, _lock: lock })
    }

    /// The configuration as it was.
    pub(crate) fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the files have it; a built-in method need not be there.
    pub(crate) fn is_written(&self) -> bool {
        self.place.is_some()
    }

    /// Creates or updates: what is not given is by default from then on, but for [`KEPT`].
    pub(crate) fn set(&mut self, parameters: &Parameters) -> Result<(), Failure> {
        let table = self.table()?;
        let keys: Vec<_> = table.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            if !KEPT.contains(&key.as_str()) && parameters.get(&key).is_none() {
                table.remove(&key);
            }
        }
        for parameter in parameters.iter() {
            put(table, parameter.key, parameter.value.clone());
        }
        Ok(())
    }

    /// Whether the method is in use.
    pub(crate) fn enable(&mut self, enabled: bool) -> Result<(), Failure> {
        let table = self.table()?;
        put(table, "enabled", enabled.into());
        Ok(())
    }

    /// Whose users may use it.
    pub(crate) fn link(&mut self, directories: &[String]) -> Result<(), Failure> {
        let list: Array = directories.iter().map(String::as_str).collect();
        put(self.table()?, "directories", Value::Array(list));
        Ok(())
    }

    /// Takes the method out of its file.
    pub(crate) fn remove(&mut self) {
        let methods = self.document.get_mut("method").and_then(Item::as_array_of_tables_mut);
        let (Some(methods), Some(place)) = (methods, self.place.take()) else { return };
        methods.remove(place);
        if methods.is_empty() {
            self.document.remove("method");
        }
    }

    /// The method's table; made where there is none.
    fn table(&mut self) -> Result<&mut Table, Failure> {
        let made = |_| Failure::failed(format!("{}: method is no table", self.path.display()));
        let methods = self.document.entry("method");
        let methods = methods.or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        let methods = methods.as_array_of_tables_mut().ok_or(()).map_err(made)?;
        let place = match self.place {
            Some(place) => place,
            None => {
                let mut table = Table::new();
                table.insert("name", Item::Value(self.name.as_str().into()));
                if self.before.is_none() {
                    table.decor_mut().set_prefix(HEAD);
                }
                methods.push(table);
                methods.len() - 1
            }
        };
        self.place = Some(place);
        methods.get_mut(place).ok_or(()).map_err(made)
    }

    /// Has otpd check the files as they would be, and puts the file in its place.
    ///
    /// # Errors
    /// What otpd says of it, or what keeps the file from being written; nothing is changed then.
    pub(crate) fn commit(self) -> Result<Change, Failure> {
        let text = self.document.to_string();
        let own = self.path.file_name() == Some(format!("method-{}.toml", self.name).as_ref());
        let text = if own && !self.is_written() && text.replace(HEAD, "").trim().is_empty() {
            None
        } else {
            Some(text)
        };
        if text == self.before {
            return Ok(Change { changed: false, said: Vec::new() });
        }
        let said = Stage::make(&self.configuration, &self.path)?.put(text.as_deref())?;
        Ok(Change { changed: true, said })
    }
}

/// Where the configuration is where nothing else is said.
const MAIN_FOLDER: &str = "/etc/otpd";

/// Keeps other otpctls from changing the files at the same time. A folder that is not there has no
/// files, and is said to be missing by otpd or by whoever writes.
fn lock(main: &Path, is_file: bool) -> Result<File, Failure> {
    let parent = main.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = if is_file { parent.unwrap_or(Path::new(".")) } else { main };
    let file = File::open(folder).map_err(|error| failed(folder, &error))?;
    file.lock().map_err(|error| failed(folder, &error))?;
    Ok(file)
}

fn read(path: &Path) -> Result<(String, DocumentMut), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| failed(path, &error))?;
    let document = text.parse().map_err(|error: toml_edit::TomlError| {
        Failure::failed(format!("{}: {}", path.display(), error.message()))
    })?;
    Ok((text, document))
}

/// The place of a method among those of a file.
fn find(document: &DocumentMut, name: &str, path: &Path) -> Result<Option<usize>, Failure> {
    let called = |item: Option<&str>| item == Some(name);
    match document.get("method") {
        Some(Item::ArrayOfTables(methods)) => {
            Ok(methods.iter().position(|table| called(table.get("name").and_then(Item::as_str))))
        }
        Some(Item::Value(Value::Array(methods))) => {
            let mut tables = methods.iter().filter_map(Value::as_inline_table);
            if tables.any(|table| called(table.get("name").and_then(Value::as_str))) {
                return Err(Failure::failed(format!(
                    "{}: method {name} is in a list on one line; change it there by hand, or \
                     write it as [[method]]",
                    path.display()
                )));
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// Sets a key where it stands, with the comment behind it.
fn put(table: &mut Table, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}
