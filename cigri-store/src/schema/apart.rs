//! The tables that no statement joins to others.

diesel::table! {
    addition (id) {
        id -> BigInt,
        campaign_id -> BigInt,
        first_index -> Nullable<BigInt>,
    }
}
diesel::table! {
    idempotency (owner, key) {
        owner -> Text,
        key -> Text,
        digest -> Text,
        campaign_id -> BigInt,
        answer -> Text,
        done_at -> BigInt,
    }
}
diesel::table! {
    retry_override (campaign_id, generation_from) {
        campaign_id -> BigInt,
        generation_from -> Integer,
        ask -> Text,
    }
}
diesel::table! {
    breaker (cluster, kind, campaign_id, node) {
        cluster -> Text,
        kind -> Text,
        campaign_id -> BigInt,
        node -> Text,
        state -> Text,
        state_at -> BigInt,
        streak -> BigInt,
        changed_at -> BigInt,
        failures -> BigInt,
        ends -> BigInt,
        mostly -> Text,
    }
}
diesel::table! {
    runner (login, cluster) {
        login -> Text,
        cluster -> Text,
        name -> Nullable<Text>,
        misses -> BigInt,
    }
}
diesel::table! {
    decision_log (id) {
        id -> BigInt,
        campaign_id -> BigInt,
        cluster -> Text,
        decided_at -> BigInt,
        allowed -> BigInt,
        bound_by -> Text,
        reason -> Text,
        terms -> Text,
        inputs -> Text,
    }
}
diesel::table! {
    audit (id) {
        id -> BigInt,
        at -> BigInt,
        who -> Text,
        action -> Text,
        cluster -> Nullable<Text>,
        before -> Text,
        after -> Text,
    }
}
diesel::table! {
    usage_share (cluster, owner) {
        cluster -> Text,
        owner -> Text,
        jobs -> Double,
        at -> BigInt,
    }
}
diesel::table! { muted (owner, campaign_id) { owner -> Text, campaign_id -> BigInt, } }
diesel::table! {
    notice (subscription_id, topic) {
        subscription_id -> BigInt,
        topic -> Text,
        code -> Text,
        severity -> Text,
        campaign_id -> Nullable<BigInt>,
        cluster -> Nullable<Text>,
        title -> Text,
        message -> Text,
        waiting -> BigInt,
        first_at -> BigInt,
        last_at -> BigInt,
        due_at -> BigInt,
        sent_at -> Nullable<BigInt>,
        advice -> Text,
    }
}
diesel::table! {
    grid_usage (cluster, at) {
        cluster -> Text,
        at -> BigInt,
        total -> BigInt,
        used -> BigInt,
        ours -> BigInt,
        unavailable -> BigInt,
    }
}
