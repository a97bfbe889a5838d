#pragma once
// What is asked to be sent: checked, completed and stored, or refused with a reason.
#include <unordered_map>

#include "daemon/api/backend.hpp"
#include "daemon/service/ledger.hpp"

namespace conductor::service {

/// What the rows of one batch share: the first moment that window and days allow, by place and due time.
using Openings = std::unordered_map<std::string, WallTime>;

/// A row made of a request: number normalised, text segmented, expiry and lane set. Reads no database. A Refusal names the field.
api::Answer<store::MessageRow> make_row(const Env& env, const NewMessage& message, WallTime now, Openings* openings = nullptr);

struct Taken {
    store::MessageRow row;
    bool created = true;
};

/// Takes the row of a request in: known key, duplicates, opt-out, consent and queue limit are checked, then it is stored.
/// `open` is the number of open messages before it.
api::Answer<Taken> take(store::Tx& tx, const Env& env, const NewMessage& message, store::MessageRow row, WallTime now, std::int64_t open);
/// The same, with the row made here.
api::Answer<Taken> take(store::Tx& tx, const Env& env, const NewMessage& message, WallTime now, std::int64_t open);

/// What the points of a customer, [0, 100], add to a named priority: [-0.5, 0.5].
inline double ranking(double points) {
    return (points - 50) / 100;
}

/// For the API: the sentence of its reason, its key, its hash.
Message present(const Env& env, store::MessageRow row);

}  // namespace conductor::service
