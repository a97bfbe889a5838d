#include "daemon/dispatch/submission.hpp"

#include <algorithm>

#include "daemon/dispatch/states.hpp"

namespace conductor::dispatch {
namespace {

Part* find(Message& m, int seq) {
    const auto it = std::ranges::find(m.parts, seq, &Part::seq);
    return it == m.parts.end() ? nullptr : &*it;
}

/// Every change of a part goes through here; false, and no change, where the table knows no such step.
bool step(Part& part, PartStatus to) {
    if (!may_follow(part.status, to)) return false;
    part.status = to;
    return true;
}

bool any(const Message& m, PartStatus status) {
    return std::ranges::find(m.parts, status, &Part::status) != m.parts.end();
}
bool all(const Message& m, PartStatus status) {
    return std::ranges::all_of(m.parts, [status](const Part& p) { return p.status == status; });
}
/// A part with a reference was taken by the network, also when its report says that it failed later.
bool some_out(const Message& m) {
    return any(m, PartStatus::sent) || any(m, PartStatus::delivered) || any(m, PartStatus::unknown) ||
           std::ranges::any_of(m.parts, [](const Part& p) { return p.status == PartStatus::failed && p.tp_mr; });
}

/// Status of a message none of whose parts is to be submitted.
void conclude(Message& m, bool report_wanted) {
    if (any(m, PartStatus::failed)) {
        m.status = some_out(m) || m.delivery_status != DeliveryStatus::none ? MessageStatus::undelivered : MessageStatus::failed;
        if (m.status == MessageStatus::undelivered) m.delivery_status = DeliveryStatus::failed;
    } else if (all(m, PartStatus::delivered)) {
        m.status = MessageStatus::delivered;
        m.delivery_status = DeliveryStatus::delivered;
    } else {
        m.status = any(m, PartStatus::unknown) ? MessageStatus::unknown : MessageStatus::sent;
        if (m.delivery_status == DeliveryStatus::failed) m.delivery_status = DeliveryStatus::none;  // its failed part arrived after all
        if (m.delivery_status == DeliveryStatus::none && report_wanted) m.delivery_status = DeliveryStatus::pending;
        if (m.status == MessageStatus::sent) m.reason.reset();
    }
}

/// What evidence about one part means for the message: nothing yet while others are under way or to be submitted. Where nothing more is
/// submitted, for it ended or was given up, the parts that wait never go, and what is out makes it incomplete.
void weigh(Message& m, bool report_wanted) {
    if (any(m, PartStatus::submitting)) {
        if (m.status == MessageStatus::unknown) m.status = MessageStatus::sending;
    } else if (!any(m, PartStatus::waiting)) {
        conclude(m, report_wanted);
    } else if (m.status != MessageStatus::queued && m.status != MessageStatus::sending && some_out(m)) {
        m.status = MessageStatus::undelivered;
        m.delivery_status = DeliveryStatus::failed;
        if (!any(m, PartStatus::failed)) m.reason = "incomplete";
    }
}

}  // namespace

const Part* waiting_part(const Message& m) {
    const auto it = std::ranges::find(m.parts, PartStatus::waiting, &Part::status);
    return it == m.parts.end() ? nullptr : &*it;
}

void begin_part(Message& m, int seq, ModemIndex modem) {
    Part* part = find(m, seq);
    if (!part || !step(*part, PartStatus::submitting)) return;
    part->modem_index = modem;
    ++part->attempts;
    m.status = MessageStatus::sending;
    m.modem_index = modem;
    if (!any(m, PartStatus::unknown) && !any(m, PartStatus::failed)) m.reason.reset();
}

void settle_part(Message& m, int seq, After after, std::optional<int> tp_mr, std::string reason, bool report_wanted) {
    Part* part = find(m, seq);
    if (!part || part->status != PartStatus::submitting) return;
    switch (after) {
        case After::accepted:
            step(*part, PartStatus::sent);
            part->tp_mr = tp_mr;
            break;
        case After::again:
            step(*part, PartStatus::waiting);
            m.status = MessageStatus::queued;
            if (!any(m, PartStatus::unknown)) m.reason = std::move(reason);
            return;
        case After::give_up:
            step(*part, PartStatus::failed);
            m.reason = some_out(m) ? "incomplete" : std::move(reason);
            conclude(m, report_wanted);
            return;
        case After::unknown:
            step(*part, PartStatus::unknown);
            m.reason = std::move(reason);
            break;
    }
    if (waiting_part(m))
        m.status = MessageStatus::sending;
    else
        conclude(m, report_wanted);
}

void accept_late(Message& m, int seq, std::optional<int> tp_mr, bool report_wanted) {
    Part* part = find(m, seq);
    if (!part || part->status == PartStatus::sent || !step(*part, PartStatus::sent)) return;
    part->tp_mr = tp_mr;
    weigh(m, report_wanted);
}

bool report_part(Message& m, int seq, Report report) {
    Part* part = find(m, seq);
    if (!part || part->status == PartStatus::delivered || part->status == PartStatus::waiting) return false;
    const PartStatus before = part->status;
    switch (report) {
        case Report::delivered:
        case Report::unconfirmed: step(*part, PartStatus::delivered); break;
        case Report::pending:
            if (before == PartStatus::unknown) step(*part, PartStatus::sent);
            break;
        case Report::failed:
        case Report::expired: step(*part, PartStatus::failed); break;
        case Report::untold:
            if (before == PartStatus::unknown) step(*part, PartStatus::sent);
            if (m.delivery_status == DeliveryStatus::pending && m.parts.size() == 1) {
                m.delivery_status = DeliveryStatus::unknown;
                return true;
            }
            break;
    }
    if (part->status == before) return false;
    // the reason of a failed part stays whatever else is reported, and that of an unknown part while it is unknown
    if (report == Report::failed)
        m.reason = "not-delivered";
    else if (report == Report::expired)
        m.reason = "validity-expired";
    else if (!any(m, PartStatus::failed) && !any(m, PartStatus::unknown))
        m.reason = report == Report::unconfirmed ? std::optional<std::string>{"unconfirmed"} : std::nullopt;
    if (!waiting_part(m) && !any(m, PartStatus::submitting) && m.delivery_status == DeliveryStatus::none)
        m.delivery_status = DeliveryStatus::pending;
    weigh(m, true);
    return true;
}

void wait_for(Message& m, std::string reason) {
    if (!any(m, PartStatus::unknown) && !any(m, PartStatus::failed)) m.reason = std::move(reason);
}

void abandon(Message& m, MessageStatus otherwise, std::string reason) {
    if (some_out(m)) {
        m.status = MessageStatus::undelivered;
        m.delivery_status = DeliveryStatus::failed;
        m.reason = "incomplete";
        return;
    }
    m.status = otherwise;
    m.reason = std::move(reason);
}

void close_reports(Message& m) {
    if (m.delivery_status == DeliveryStatus::pending) m.delivery_status = DeliveryStatus::unknown;
}

void new_round(Message& m) {
    for (Part& part : m.parts) part = Part{.seq = part.seq};
    m.status = MessageStatus::queued;
    m.delivery_status = DeliveryStatus::none;
    m.reason.reset();
    m.sent_at.reset();
    m.delivered_at.reset();
}

}  // namespace conductor::dispatch
