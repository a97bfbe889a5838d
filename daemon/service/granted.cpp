#include "daemon/service/granted.hpp"

#include <algorithm>

namespace conductor::service {

void Granted::add(store::GoRow row) {
    drop(row.ranked.id);
    rows_.push_back(std::move(row));
}

void Granted::drop(MessageId id) {
    std::erase_if(rows_, [id](const auto& row) { return row.ranked.id == id; });
}

bool Granted::has(MessageId id) const {
    return std::ranges::any_of(rows_, [id](const auto& row) { return row.ranked.id == id; });
}

bool Granted::is_for(const store::MessageRow& row) const {
    return std::ranges::any_of(rows_, [&row](const auto& one) { return one.ranked.id == row.id && one.epoch == row.claim_epoch; });
}

void Granted::refresh(store::Tx& tx) {
    std::vector<store::GoRow> still;
    for (const auto& row : rows_)
        if (auto waiting = store::waiting_for_go(tx, row.ranked.id, row.epoch)) still.push_back(std::move(*waiting));
    rows_ = std::move(still);
}

}  // namespace conductor::service
