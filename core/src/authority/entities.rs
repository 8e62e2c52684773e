//! Entities: create, list, remove.

use std::sync::Arc;

use super::change::{Event, Tries, record_as};
use super::developers::INVALID_NAME;
use super::{Actor, Inner, Refusal};
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    Announcement, AuditAction, ChangeSet, DeveloperRef, Entity, EntityId, EntityRef, Index, Page, Position, Record,
    RecordKey, Rejection, Row, Source, Stored, checked_name,
};
use crate::random;

/// Entities: create, list, remove.
#[derive(Clone, Copy)]
pub struct Entities<'a> {
    pub(super) inner: &'a Arc<Inner>,
}

/// An entity to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntity {
    /// Its id; `None` for a random one (`entity_…`).
    pub id: Option<EntityId>,
    /// Its legal name: 1 to 200 characters, no control characters.
    pub legal_name: String,
}

impl Entities<'_> {
    /// Makes an entity of `developer`.
    ///
    /// # Errors
    /// - [`Rejection::NotFound`] if there is no such developer
    /// - [`Rejection::Conflict`] if it has an entity with that id
    /// - [`Rejection::InvalidRequest`] if the name is none
    pub async fn create(
        &self,
        actor: &Actor<'_>,
        source: Source,
        developer: &DeveloperRef,
        new: &NewEntity,
    ) -> Result<Entity, Refusal> {
        actor.acts_for(developer)?;
        let inner = self.inner;
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            let id = match &new.id {
                Some(id) => id.clone(),
                None => inner.new_entity_id()?,
            };
            let names = [
                RecordKey::Developer(developer.clone()),
                RecordKey::Entity(EntityRef { developer: developer.clone(), id: id.clone() }),
            ];
            let [owner, existing] = inner.gather(names).await?;
            set.expect(&owner.ok_or(Rejection::NotFound)?);
            if existing.is_some() {
                return Err(Rejection::Conflict.into());
            }
            let made = inner.new_entity(&mut set, developer, id, &new.legal_name)?;
            inner.audit(
                &mut set,
                Event::about(developer, actor, source, AuditAction::EntityCreated, made.reference.id.as_str()),
            )?;
            if inner.commit(set, &mut tries).await? {
                return Ok(made);
            }
        }
    }

    /// An entity.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is none.
    pub async fn get(&self, entity: &EntityRef) -> Result<Entity, Refusal> {
        let found = self.inner.store.entity(entity).await?;
        Ok(found.ok_or(Rejection::NotFound)?.0)
    }

    /// At most `limit` entities of `developer` after `after`, newest first.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer.
    pub async fn list(
        &self,
        developer: &DeveloperRef,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<(Vec<Entity>, Option<Position>), Refusal> {
        let index = Index::EntitiesOf(developer.clone());
        let Page { rows, next } = self.inner.store.page(&index, after, limit).await?;
        let entities = rows.into_iter().filter_map(|row| match row {
            Row::Record(Stored { record: Record::Entity(entity), .. }) => Some(entity),
            _ => None,
        });
        Ok((entities.collect(), next))
    }

    /// Removes an entity: nothing reaches it, and its tokens are refused, within `max_staleness`, here at once.
    ///
    /// An entity that is made again under the same id is reached by new entity tokens from the next second on; on a store
    /// that several processes share, once the policy's leeway has passed.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is none.
    pub async fn remove(&self, actor: &Actor<'_>, source: Source, entity: &EntityRef) -> Result<(), Refusal> {
        actor.acts_for(&entity.developer)?;
        let inner = self.inner;
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            let name = RecordKey::Entity(entity.clone());
            let [stored] = inner.gather([name.clone()]).await?;
            record_as!(&stored, Entity)?.ok_or(Rejection::NotFound)?;
            set.expect(&stored.ok_or(Rejection::NotFound)?);
            set.remove.push(name);
            inner.announce(&mut set, Announcement::EntityRemoved { entity: entity.clone() });
            inner.audit(
                &mut set,
                Event::about(&entity.developer, actor, source, AuditAction::EntityRemoved, entity.id.as_str()),
            )?;
            if inner.commit(set, &mut tries).await? {
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Entities<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entities")
    }
}

impl Inner {
    /// A random entity id.
    pub(super) fn new_entity_id(&self) -> Result<EntityId, Refusal> {
        let text = format!("entity_{}", *random::base62(&*self.random, 16)?);
        Ok(EntityId::parse(&text).map_err(|_| super::Fault::Internal("a random entity id that is none"))?)
    }

    /// A new entity, added to `set`.
    pub(super) fn new_entity(
        &self,
        set: &mut ChangeSet,
        developer: &DeveloperRef,
        id: EntityId,
        legal_name: &str,
    ) -> Result<Entity, Refusal> {
        let made = Entity {
            reference: EntityRef { developer: developer.clone(), id },
            legal_name: checked_name(legal_name).map_err(|_| INVALID_NAME)?,
            created_at: set.at,
        };
        set.insert.push(Record::Entity(made.clone()));
        Ok(made)
    }
}
