//! Users and their tokens.

use ctxpin_model::access::{Role, Roles, Scope, Scopes};
use ctxpin_model::id::{AgentId, TokenId};
use ctxpin_model::moment::Moment;
use ctxpin_model::token::{Maker as TokenMaker, TokenRecord, TokenRequest};
use ctxpin_model::user::{UserChange, UserRecord};

use super::members::{InvalidMember, chosen_name, words};
use crate::http::people::{self, Maker, Token, User};

/// Returns the wire shape of a user.
pub fn user(user: UserRecord) -> User {
    User {
        id: user.id.uuid(),
        name: user.name,
        roles: user.roles.words().map(|role| role.to_string()).collect(),
        disabled: user.disabled,
        created_at: user.created_at.utc(),
    }
}

/// Returns the names of scopes.
pub fn scope_words(scopes: Scopes) -> Vec<String> {
    scopes.words().map(|scope| scope.to_string()).collect()
}

/// Returns the wire shape of a token, which holds no secret.
pub fn token(token: TokenRecord) -> Token {
    Token {
        id: token.id.uuid(),
        label: token.label,
        scopes: scope_words(token.scopes),
        user: token.user.uuid(),
        agent_id: token.agent.map(AgentId::uuid),
        created_at: token.created_at.utc(),
        expires_at: token.expires_at.map(Moment::utc),
        last_used_at: token.last_used_at.map(Moment::utc),
        revoked_at: token.revoked_at.map(Moment::utc),
        made_by: token.made_by.map(maker),
    }
}

fn maker(maker: TokenMaker) -> Maker {
    Maker {
        token: maker.token.map(TokenId::uuid),
        user: maker.user.uuid(),
        name: maker.name,
    }
}

/// Reads the words of a set of roles.
///
/// # Errors
///
/// Fails if a word is not a role.
pub fn roles(texts: &[String]) -> Result<Roles, InvalidMember> {
    words::<Role, _>("roles", texts)
}

fn scopes(texts: &[String]) -> Result<Scopes, InvalidMember> {
    words::<Scope, _>("scopes", texts)
}

/// Reads a change of a user.
///
/// # Errors
///
/// Fails if the name is not valid, or a word is not a role.
pub fn user_change(change: people::UserChange) -> Result<UserChange, InvalidMember> {
    Ok(UserChange {
        name: change
            .name
            .map(|name| chosen_name("name", name))
            .transpose()?,
        roles: change.roles.as_deref().map(roles).transpose()?,
        disabled: change.disabled,
    })
}

/// Reads a request to create a token. Without scopes, the token may read and write.
///
/// # Errors
///
/// Fails if the label is not valid, or a word is not a scope.
pub fn token_request(create: people::TokenCreate) -> Result<TokenRequest, InvalidMember> {
    Ok(TokenRequest {
        label: create
            .label
            .map(|text| chosen_name("label", text))
            .transpose()?,
        scopes: match &create.scopes {
            Some(texts) => scopes(texts)?,
            None => [Scope::Read, Scope::Write].into_iter().collect(),
        },
        expires_at: create.expires_at.map(Moment::new),
        user: create.user.map(Into::into),
    })
}
