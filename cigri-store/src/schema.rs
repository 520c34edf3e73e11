//! The tables as diesel sees them. Both databases share these names and types.

mod apart;

pub(crate) use apart::*;

diesel::table! { sequence (name) { name -> Text, next -> BigInt, } }
diesel::table! { instance (one) { one -> Integer, name -> Text, key_check -> Nullable<Binary>, } }
diesel::table! {
    lease (one) {
        one -> Integer,
        epoch -> BigInt,
        holder -> Text,
        address -> Text,
        certificate -> Binary,
        secret -> Binary,
        expires_at -> BigInt,
    }
}
diesel::table! {
    cluster (name) {
        name -> Text,
        kind -> Text,
        url -> Text,
        limits -> Text,
        changes -> Text,
        watermark -> BigInt,
        last_round_at -> Nullable<BigInt>,
        ids_since -> BigInt,
    }
}
diesel::table! {
    token (owner, cluster) {
        owner -> Text,
        cluster -> Text,
        login -> Text,
        secret -> Binary,
        expires_at -> Nullable<BigInt>,
        issued_at -> Nullable<BigInt>,
        renewal -> Text,
        renewed_at -> Nullable<BigInt>,
    }
}
diesel::table! {
    campaign (id) {
        id -> BigInt,
        owner -> Text,
        name -> Text,
        state -> Text,
        jdl -> Text,
        spec -> Text,
        counted -> Bool,
        first_task_id -> BigInt,
        task_count -> BigInt,
        origin_path -> Nullable<Text>,
        origin_digest -> Nullable<Text>,
        submitted_at -> BigInt,
        finished_at -> Nullable<BigInt>,
        bag -> Nullable<Text>,
        stage -> Text,
    }
}
diesel::table! {
    progress (campaign_id) {
        campaign_id -> BigInt,
        next_index -> BigInt,
        pending -> BigInt,
        live -> BigInt,
        running -> BigInt,
        done -> BigInt,
        failed -> BigInt,
        cancelled -> BigInt,
        kills -> BigInt,
        failures_from -> BigInt,
    }
}
diesel::table! {
    parameter_chunk (campaign_id, first_index) {
        campaign_id -> BigInt,
        first_index -> BigInt,
        body -> Text,
    }
}
diesel::table! {
    task_range (campaign_id, first_index) {
        campaign_id -> BigInt,
        first_index -> BigInt,
        first_task_id -> BigInt,
        reserved -> BigInt,
    }
}
diesel::table! {
    returned_task (campaign_id, task_index) {
        campaign_id -> BigInt,
        task_index -> BigInt,
        generation -> Integer,
        attempts -> Integer,
        place -> Integer,
        failed_on -> Nullable<Text>,
        not_before -> BigInt,
        level -> Integer,
    }
}
diesel::table! {
    submission (id) {
        id -> BigInt,
        campaign_id -> BigInt,
        cluster -> Text,
        owner -> Text,
        remote_user -> Text,
        state -> Text,
        name -> Text,
        gate_id -> Nullable<BigInt>,
        array_id -> Nullable<BigInt>,
        directory -> Text,
        job_count -> BigInt,
        seen_waiting -> BigInt,
        seen_final -> BigInt,
        reason -> Nullable<Text>,
        created_at -> BigInt,
        changed_at -> BigInt,
        watermark -> BigInt,
        role -> Text,
        remote_count -> BigInt,
        results -> Nullable<Text>,
        shape -> Nullable<Text>,
        project -> Nullable<Text>,
        level -> Integer,
    }
}
diesel::table! {
    job (id) {
        id -> BigInt,
        submission_id -> BigInt,
        array_index -> BigInt,
        campaign_id -> BigInt,
        task_index -> BigInt,
        generation -> Integer,
        attempt -> Integer,
        state -> Text,
        remote_id -> Nullable<BigInt>,
        exit_code -> Nullable<Integer>,
        cause -> Nullable<Text>,
        detail -> Nullable<Text>,
        started_at -> Nullable<BigInt>,
        stopped_at -> Nullable<BigInt>,
        missing_since -> Nullable<BigInt>,
        wish -> Nullable<Text>,
        slot -> Integer,
        failed_on -> Nullable<Text>,
    }
}
diesel::table! {
    failure (job_id) {
        job_id -> BigInt,
        campaign_id -> BigInt,
        cluster -> Text,
        task_index -> BigInt,
        generation -> Integer,
        is_final -> Bool,
        class -> Text,
        exit_code -> Nullable<Integer>,
        node -> Nullable<Text>,
        signature -> Nullable<Text>,
        at -> BigInt,
    }
}
diesel::table! {
    remote_job (job_id, hop) {
        job_id -> BigInt,
        hop -> BigInt,
        remote_id -> BigInt,
    }
}
diesel::table! {
    pace (campaign_id, cluster) {
        campaign_id -> BigInt,
        cluster -> Text,
        tasks -> BigInt,
        busy_ms -> BigInt,
        jobs -> BigInt,
        job_ms -> BigInt,
        kills -> BigInt,
    }
}
diesel::table! {
    gate_test (cluster) {
        cluster -> Text,
        state -> Text,
        name -> Text,
        owner -> Text,
        gate_id -> Nullable<BigInt>,
        job_id -> Nullable<BigInt>,
        control_id -> Nullable<BigInt>,
        posted_at -> BigInt,
    }
}
diesel::table! {
    event (id) {
        id -> BigInt,
        code -> Text,
        severity -> Text,
        scope -> Text,
        campaign_id -> Nullable<BigInt>,
        cluster -> Nullable<Text>,
        owner -> Nullable<Text>,
        message -> Text,
        holds -> Bool,
        occurrences -> BigInt,
        opened_at -> BigInt,
        last_at -> BigInt,
        closed_at -> Nullable<BigInt>,
        class -> Text,
        advice -> Text,
        cause_id -> Nullable<BigInt>,
        first_message -> Nullable<Text>,
        reopened -> BigInt,
        closed_by -> Nullable<Text>,
        closed_why -> Nullable<Text>,
    }
}
diesel::table! {
    decision (campaign_id, cluster) {
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
    setback (campaign_id, cluster) {
        campaign_id -> BigInt,
        cluster -> Text,
        abandoned -> BigInt,
        unanswered -> BigInt,
        at -> BigInt,
    }
}
diesel::table! {
    #[sql_name = "event"]
    untold_event (id) {
        id -> BigInt,
        code -> Text,
        severity -> Text,
        campaign_id -> Nullable<BigInt>,
        cluster -> Nullable<Text>,
        owner -> Nullable<Text>,
        message -> Text,
        occurrences -> BigInt,
        opened_at -> BigInt,
        last_at -> BigInt,
        told -> BigInt,
        advice -> Text,
    }
}
diesel::table! {
    subscription (id) {
        id -> BigInt,
        owner -> Text,
        kind -> Text,
        identity -> Text,
        severity -> Text,
        digest_h -> Nullable<BigInt>,
        admins -> Bool,
        secret -> Nullable<Binary>,
        created_at -> BigInt,
        tries -> BigInt,
        retry_at -> BigInt,
        last_error -> Nullable<Text>,
    }
}
diesel::table! {
    account (campaign_id, cluster, day) {
        campaign_id -> BigInt,
        cluster -> Text,
        day -> BigInt,
        useful_ms -> BigInt,
        lost_ms -> BigInt,
        failed_ms -> BigInt,
        cancelled_ms -> BigInt,
        done -> BigInt,
        killed -> BigInt,
        failed -> BigInt,
        cancelled -> BigInt,
        guessed -> BigInt,
        untimed -> BigInt,
    }
}
diesel::allow_tables_to_appear_in_same_query!(
    campaign,
    progress,
    submission,
    job,
    event,
    untold_event,
    returned_task,
    parameter_chunk,
    decision,
    setback,
    pace,
    cluster,
    token,
    remote_job,
    gate_test,
    failure,
    subscription,
    notice,
    account,
);
diesel::allow_columns_to_appear_in_same_group_by_clause!(
    submission::id,
    submission::campaign_id,
    submission::owner,
    submission::role,
    submission::shape,
    submission::project,
    submission::results,
    submission::level,
    job::state,
);
