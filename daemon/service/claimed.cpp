#include "daemon/service/claimed.hpp"

#include <algorithm>

#include "daemon/core/nanp.hpp"
#include "daemon/dispatch/submission.hpp"
#include "daemon/service/commands.hpp"
#include "daemon/service/intake.hpp"
#include "daemon/service/steps.hpp"
#include "daemon/store/tables.hpp"

namespace conductor::service {
namespace {

using store::MessageRow;
using store::Tx;

NewMessage message_of(const sync::Job& job) {
    NewMessage m;
    m.to = job.phone_number;
    m.text = job.content;
    m.key = fmt::format("supabase-{}-{}", job.id, job.epoch);
    m.message_class = job.message_class;
    m.due_at = job.send_at;
    m.expires_at = job.expires_at;
    m.on_unknown = job.on_unknown;
    m.priority = job.priority;
    m.scheduled_message_id = job.id;
    m.claim_epoch = job.epoch;
    m.revision = job.revision;
    m.offline_ok = job.offline_ok;
    m.campaign_name = job.campaign_name;
    m.set = job.set;
    if (job.state && is_state(*job.state)) m.state = job.state;  // an address that nobody can place is none
    m.customer = job.customer;
    m.consent = job.consent;
    return m;
}

MessageRow refused_row(const sync::Job& job, const api::Refusal& refusal, WallTime now) {
    MessageRow row;
    row.key = fmt::format("supabase-{}-{}", job.id, job.epoch);
    row.keyed = true;
    row.message_class = job.message_class;
    row.phone_number = job.phone_number;
    row.content = job.content;
    row.scheduled_message_id = job.id;
    row.claim_epoch = job.epoch;
    row.campaign_name = job.campaign_name;
    row.timestamp = row.not_before = now;
    row.due_at = job.send_at;
    const bool policy = refusal.code == "opted-out" || refusal.code == "no-consent";
    row.status = policy ? MessageStatus::suppressed : MessageStatus::failed;
    row.reason = refusal.code;
    return row;
}

/// Of a row that this database does not know, or holds: may another instance of this box have sent it?
enum class Standing : std::uint8_t {
    free,      ///< it had no go, and could not leave without
    doubtful,  ///< not yet; when it is due that one may, without asking
    out        ///< with the go of Supabase, or without asking
};
Standing standing_of(const Env& env, const sync::Job& job, WallTime now) {
    if (job.begun) return Standing::out;
    if (!job.offline_ok || job.instance == env.instance) return Standing::free;
    return job.send_at <= now ? Standing::out : Standing::doubtful;
}

void hold(Tx& tx, MessageRow& row) {
    row.held = true;
    row.offline_ok = false;
    row.reason = "restored";
    store::update(tx, row);
    if (!store::get_setting(tx, "restored"))
        store::set_setting(tx, "restored", "another box of this identity had claimed rows, and may send them");
}

/// Keeps what is not sent as a row too, so that its reason goes back and can be read here.
void keep_unsent(Tx& tx, const Env& env, MessageRow row, WallTime now) {
    store::insert(tx, row);
    row.stored_status = MessageStatus::queued;
    save(tx, env, row, now);
}

}  // namespace

bool take_claimed(Tx& tx, const Env& env, const Claimed& claimed, WallTime now) {
    const auto& job = claimed.job;
    const auto standing = standing_of(env, job, now);
    if (auto known = store::find_by_scheduled(tx, job.id)) {
        known->lease_until = claimed.lease_until;
        if (known->held && known->status == MessageStatus::queued && standing == Standing::out) {
            known->held = false;
            known->claim_epoch = job.epoch;
            dispatch::abandon(*known, MessageStatus::unknown, "begun-before");
            known->delivery_status = DeliveryStatus::unknown;
            save(tx, env, *known, now);
            return false;
        }
        const bool confirmed = known->held && standing == Standing::free;
        if (confirmed) {
            known->held = false;
            known->not_before = std::max(known->not_before, now);
            known->reason.reset();
        }
        const bool same_round = known->claim_epoch == job.epoch;
        const bool out = known->status == MessageStatus::sent || known->status == MessageStatus::delivered;
        // What ended otherwise was told before this claim was made: claimed afresh, it is a new round that somebody asked for.
        if (same_round || under_way(known->status) || out) {
            // Ours already, perhaps under an older claim: never a second copy. What is known of it is told under the new claim.
            known->claim_epoch = job.epoch;
            // its text is that of the revision which it was taken with: where it was edited since, gw_begin_v1 says so
            known->offline_ok = job.offline_ok && job.instance == env.instance && known->revision == job.revision;
            if (!same_round) known->begun = false;  // the go was for the claim before
            if (!same_round) known->stored_status = MessageStatus::queued;
            save(tx, env, *known, now);
            if (job.cancel_requested) {
                std::vector<Changed> changed;  // save() tells of it
                withdraw(tx, env, {.id = 0, .kind = "cancel", .job_id = job.id, .epoch = job.epoch, .payload = {}}, now, changed);
                return false;
            }
            return confirmed;
        }
    }
    if (standing == Standing::out) {
        auto row = refused_row(job, {409, "begun-before", ""}, now);
        row.status = MessageStatus::unknown;
        row.delivery_status = DeliveryStatus::unknown;
        keep_unsent(tx, env, std::move(row), now);
        return false;
    }
    if (job.cancel_requested) {
        auto row = refused_row(job, {409, "cancelled", ""}, now);
        row.status = MessageStatus::cancelled;
        keep_unsent(tx, env, std::move(row), now);
        return false;
    }
    // a reply is judged by what this box knows of the opt-out; while it knows of none, nothing can have come after it
    const auto out = job.opted_out ? store::find_opt_out(tx, job.phone_number) : std::nullopt;
    if (job.opted_out && (job.message_class != MessageClass::reply || !out || !out->active)) {
        keep_unsent(tx, env, refused_row(job, {422, "opted-out", ""}, now), now);
        return false;
    }
    auto taken = take(tx, env, message_of(job), now, 0);
    if (!taken) {
        keep_unsent(tx, env, refused_row(job, taken.error(), now), now);
        return false;
    }
    taken->row.lease_until = claimed.lease_until;
    if (standing == Standing::doubtful)
        hold(tx, taken->row);
    else
        store::update(tx, taken->row);
    return true;
}

}  // namespace conductor::service
