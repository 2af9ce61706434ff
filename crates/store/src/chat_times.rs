//! Times of a chat's pin and of its drift, as parts of a query.

/// The move by which the chat of a row of `JOINS` got its pin, as `k`: that of before, if another one has moved it back.
macro_rules! made_by {
    () => {
        " from chat_pins k where k.chat_id = c.id and k.snapshot_id = c.pin_snapshot \
         and k.reason not in ('rollback', 'render') order by k.seq desc limit 1)"
    };
}

/// The time of the first head that the chat of a row of `JOINS` has not taken whole. The 16 are `PINS_READ_MAX`.
macro_rules! first_other_at {
    () => {
        concat!(
            "(select n.received_at from agent_heads n where n.agent_id = c.agent_id and n.seq > \
         coalesce((select max(e.seq) from agent_heads e where e.agent_id = c.agent_id \
          and e.context_hash = ps.context_hash and (c.tools = 'live' or e.tools_hash = ps.tools_hash)), \
         (select (select e.seq from chat_pins p join snapshots s on s.id = p.snapshot_id \
          join agent_heads e on e.agent_id = c.agent_id and e.context_hash = s.context_hash \
          and (c.tools = 'live' or e.tools_hash = s.tools_hash) \
          where p.chat_id = k.chat_id and p.seq <= k.seq and p.seq >= k.seq - 16 \
          order by p.seq desc, e.seq desc limit 1)",
            $crate::chat_times::made_by!(),
            ") order by n.seq limit 1)"
        )
    };
}
pub(crate) use first_other_at;

/// The time at which the chat of a row of `JOINS` got its pin.
macro_rules! made_at {
    () => {
        concat!(
            "case when (select r.reason from chat_pins r where r.chat_id = c.id and r.seq = c.pin_seq) \
             in ('rollback', 'render') then (select k.pinned_at",
            $crate::chat_times::made_by!(),
            " else c.pinned_at end"
        )
    };
}
pub(crate) use made_at;
pub(crate) use made_by;
