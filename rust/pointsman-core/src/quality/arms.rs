//! [`Arm`] and the table of arms: what statistics are kept for, and how they move to another table.

use std::collections::BTreeSet;

use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;

/// A deployment that can be chosen, and the model it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// Name of the deployment, unique.
    pub deployment: String,
    /// Name of its model.
    pub model: String,
}

impl Arm {
    /// The arm of a deployment.
    pub fn new(deployment: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            deployment: deployment.into(),
            model: model.into(),
        }
    }
}

/// Arms in order, with their models numbered in order of first appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArmTable {
    names: Vec<String>,
    models: Vec<String>,
    model_of: Vec<usize>,
}

impl ArmTable {
    /// Numbers the models.
    ///
    /// # Errors
    ///
    /// More than 65,535 arms, or two deployments of one name.
    pub(crate) fn new(arms: &[Arm]) -> Result<Self, LearnError> {
        if arms.len() > usize::from(u16::MAX) {
            return Err(LearnError::invalid(
                "arms",
                arms.len(),
                "give at most 65,535",
            ));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = arms.iter().find(|arm| !seen.insert(&arm.deployment)) {
            return Err(LearnError::invalid(
                "arms",
                &twice.deployment,
                "name every deployment once",
            ));
        }
        let mut models: Vec<String> = Vec::new();
        let mut number = |arm: &Arm| {
            let known = models.iter().position(|model| *model == arm.model);
            known.unwrap_or_else(|| {
                models.push(arm.model.clone());
                models.len() - 1
            })
        };
        let model_of = arms.iter().map(&mut number).collect();
        Ok(Self {
            names: arms.iter().map(|arm| arm.deployment.clone()).collect(),
            models,
            model_of,
        })
    }

    pub(crate) fn model_of(&self) -> &[usize] {
        &self.model_of
    }

    pub(crate) fn n_arms(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn n_models(&self) -> usize {
        self.models.len()
    }

    pub(crate) fn model(&self, name: &str) -> Option<usize> {
        self.models.iter().position(|one| one == name)
    }

    /// Where each arm and model of `self` stands in `new`.
    pub(crate) fn mapping(&self, new: &ArmTable) -> Mapping {
        Mapping {
            arms: Places::by_name(&self.names, &new.names),
            models: Places::by_name(&self.models, &new.models),
        }
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.len(self.n_arms());
        for (name, model) in self.names.iter().zip(&self.model_of) {
            writer.text(name);
            writer.text(&self.models[*model]);
        }
    }

    pub(crate) fn load(reader: &mut Reader) -> Result<Self, LearnError> {
        let n_arms = reader.len(16)?;
        let arm = |_| Ok(Arm::new(reader.text()?, reader.text()?));
        let arms: Result<Vec<Arm>, LearnError> = (0..n_arms).map(arm).collect();
        Self::new(&arms?)
    }
}

/// From one table of arms to another.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) arms: Places,
    pub(crate) models: Places,
}

/// For each new place the old one, and the reverse.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    old_of_new: Vec<Option<usize>>,
    new_of_old: Vec<Option<usize>>,
}

impl Places {
    fn by_name(old: &[String], new: &[String]) -> Self {
        let find = |name: &String, names: &[String]| names.iter().position(|one| one == name);
        Self {
            old_of_new: new.iter().map(|name| find(name, old)).collect(),
            new_of_old: old.iter().map(|name| find(name, new)).collect(),
        }
    }

    /// The values in the new order, with the default for what is new.
    pub(crate) fn apply<T: Clone + Default>(&self, values: &[T]) -> Vec<T> {
        self.apply_or(values, T::default)
    }

    pub(crate) fn apply_or<T: Clone>(&self, values: &[T], missing: impl Fn() -> T) -> Vec<T> {
        let value = |old: &Option<usize>| old.map_or_else(&missing, |old| values[old].clone());
        self.old_of_new.iter().map(value).collect()
    }

    /// The new place of an old one; `None` when it is gone.
    pub(crate) fn new_place(&self, old: usize) -> Option<usize> {
        self.new_of_old.get(old).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_shared_and_names_are_unique() {
        let table =
            ArmTable::new(&[Arm::new("x", "m"), Arm::new("y", "n"), Arm::new("z", "m")]).unwrap();
        assert_eq!(table.model_of(), [0, 1, 0]);
        assert!(ArmTable::new(&[Arm::new("x", "m"), Arm::new("x", "n")]).is_err());
    }

    #[test]
    fn mapping_follows_names() {
        let old = ArmTable::new(&[Arm::new("x", "m"), Arm::new("y", "n")]).unwrap();
        let new = ArmTable::new(&[Arm::new("y", "n"), Arm::new("w", "m")]).unwrap();
        let mapping = old.mapping(&new);
        assert_eq!(mapping.arms.apply(&[1, 2]), [2, 0]);
        assert_eq!(mapping.models.apply(&[1, 2]), [2, 1]);
        assert_eq!(mapping.models.new_place(0), Some(1));
        assert_eq!(mapping.arms.new_place(0), None);
    }
}
