#include "daemon/dispatch/states.hpp"

#include <algorithm>

namespace conductor::dispatch {
namespace {

using M = MessageStatus;
using P = PartStatus;

constexpr std::array messages{M::queued,  M::sending,   M::sent,       M::delivered, M::undelivered, M::failed,
                              M::expired, M::cancelled, M::suppressed, M::unknown,   M::unread,      M::read};
constexpr std::array parts{P::waiting, P::submitting, P::sent, P::delivered, P::failed, P::unknown};

template <class Status, class Table>
bool listed(const Table& table, Status from, Status to) {
    for (const auto& row : table)
        if (row.from == from) return std::ranges::find(row.to, to) != row.to.end();
    return false;
}

struct MessageRow {
    M from;
    std::span<const M> to;
};
struct PartRow {
    P from;
    std::span<const P> to;
};

// queued also ends by a report: a part that waits to be submitted again was out after all
constexpr std::array from_queued{M::queued, M::sending, M::sent,      M::delivered,  M::undelivered,
                                 M::failed, M::expired, M::cancelled, M::suppressed, M::unknown};
constexpr std::array from_sending{M::queued, M::sending, M::sent, M::delivered, M::undelivered, M::failed, M::expired, M::unknown};
constexpr std::array from_sent{M::sent, M::delivered, M::undelivered};
constexpr std::array from_delivered{M::delivered};
// an end without success: a new round, or evidence
constexpr std::array from_undelivered{M::undelivered, M::queued, M::sent, M::delivered};
constexpr std::array from_failed{M::failed, M::queued, M::sent, M::delivered, M::undelivered};
constexpr std::array from_expired{M::expired, M::queued, M::sent, M::delivered, M::undelivered};
constexpr std::array from_cancelled{M::cancelled, M::queued, M::sent, M::delivered, M::undelivered};
constexpr std::array from_suppressed{M::suppressed, M::queued, M::sent, M::delivered, M::undelivered};
constexpr std::array from_unknown{M::unknown, M::queued, M::sent, M::delivered, M::undelivered};
constexpr std::array from_unread{M::unread, M::read};
constexpr std::array from_read{M::read};

constexpr std::array message_table{
    MessageRow{M::queued, from_queued},       MessageRow{M::sending, from_sending},         MessageRow{M::sent, from_sent},
    MessageRow{M::delivered, from_delivered}, MessageRow{M::undelivered, from_undelivered}, MessageRow{M::failed, from_failed},
    MessageRow{M::expired, from_expired},     MessageRow{M::cancelled, from_cancelled},     MessageRow{M::suppressed, from_suppressed},
    MessageRow{M::unknown, from_unknown},     MessageRow{M::unread, from_unread},           MessageRow{M::read, from_read}};

// a part that waits was out where a report says so
constexpr std::array part_from_waiting{P::waiting, P::submitting, P::sent, P::unknown};
constexpr std::array part_from_submitting{P::submitting, P::waiting, P::sent, P::delivered, P::failed, P::unknown};
constexpr std::array part_from_sent{P::sent, P::delivered, P::failed};
constexpr std::array part_from_delivered{P::delivered};
constexpr std::array part_from_failed{P::failed, P::sent, P::delivered};
constexpr std::array part_from_unknown{P::unknown, P::sent, P::delivered, P::failed};

constexpr std::array part_table{PartRow{P::waiting, part_from_waiting}, PartRow{P::submitting, part_from_submitting},
                                PartRow{P::sent, part_from_sent},       PartRow{P::delivered, part_from_delivered},
                                PartRow{P::failed, part_from_failed},   PartRow{P::unknown, part_from_unknown}};

int rank(M status) {
    switch (status) {
        case M::queued:
        case M::sending:
        case M::failed:
        case M::expired:
        case M::cancelled:
        case M::suppressed:
        case M::unknown: return 0;
        case M::undelivered: return 1;
        case M::sent: return 2;
        case M::delivered: return 3;
        case M::unread:
        case M::read: return 4;
    }
    return 0;
}

}  // namespace

bool may_follow(MessageStatus from, MessageStatus to) {
    return listed(message_table, from, to);
}

bool may_follow(PartStatus from, PartStatus to) {
    return listed(part_table, from, to);
}

bool is_upward(MessageStatus from, MessageStatus to) {
    return rank(to) > rank(from);
}

std::span<const MessageStatus> all_message_states() {
    return messages;
}

std::span<const PartStatus> all_part_states() {
    return parts;
}

}  // namespace conductor::dispatch
