#pragma once
// The claimed rows that have their go (gw_begin_v1) and wait for a modem: at most two or three a modem. In memory alone, so that a go costs
// no write: the journal of its submission stores it. After a crash they are asked for again, and Supabase gives the same instance the same
// answer. Used on the store's thread.
#include <vector>

#include "daemon/store/messages.hpp"

namespace conductor::service {

class Granted {
public:
    void add(store::GoRow row);
    void drop(MessageId id);
    void clear() { rows_.clear(); }
    bool has(MessageId id) const;
    /// Its go is for the claim that this row is under.
    bool is_for(const store::MessageRow& row) const;
    const std::vector<store::GoRow>& rows() const { return rows_; }
    /// Forgets those that do not wait any more under the claim that the go was for (cancelled, parked, claimed afresh), and reads the lanes
    /// of the others anew.
    void refresh(store::Tx& tx);

private:
    std::vector<store::GoRow> rows_;
};

}  // namespace conductor::service
