// Incoming messages and reports: persisted by the Host first, then deleted here.
#include <algorithm>

#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;
using at::AtErrc;

namespace {
constexpr int refused_often = 3;             ///< by the Host, before what waits behind is tried too
constexpr std::size_t most_passed_over = 8;  ///< of those, before all of them wait
constexpr int most_slots = 1000, slots_of_a_sim = 255;
constexpr int many_refusals = 5;  ///< in a row, before a memory is asked for by the whole sweeps alone

/// A refusal that says no more than that nothing is there. Others (SIM busy) leave open what is.
bool is_empty_slot(const at::FinalResult& final) {
    const int code = final.code.value_or(321);
    return code == 321 || code == 21 || code == 22;
}
}  // namespace

/// +CMT and +CDS have no copy in the modem: each is kept until the Host has it. Needs no command, so it runs beside a submission. One that
/// the Host refuses again and again does not keep the others out; at a stop each is tried once more.
aio::awaitable<void> Modem::Impl::keep_handed_over() {
    auto& waiting = inbox_->handed_over;
    auto pause = 1s;
    std::size_t at = 0;  // what is before it was refused several times
    while (!ended_ || !waiting.empty()) {
        if (waiting.empty()) {
            co_await inbox_->direct.wait();
            continue;
        }
        bool again = at >= std::min(waiting.size(), most_passed_over);
        if (!again) {
            Inbox::HandedOver direct = waiting[at];
            waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
            const bool kept = co_await keep_one(direct);
            if (kept) {
                pause = 1s;
                continue;
            }
            if (++direct.refused == refused_often)
                host_.noted("pdu-quarantined", "a message or report cannot be stored; it is tried again");
            again = direct.refused < refused_often && !ended_;
            waiting.insert(waiting.begin() + static_cast<std::ptrdiff_t>(at++), std::move(direct));
        }
        if (!again) continue;
        if (ended_) co_return;
        const Instant until = BootClock::now() + pause;
        while (!ended_ && BootClock::now() < until) co_await inbox_->direct.wait_until(until);
        pause = std::min<std::chrono::seconds>(pause * 2, 30s);
        at = 0;
    }
}

aio::awaitable<bool> Modem::Impl::keep_one(const Inbox::HandedOver& direct) {
    at::StoredPdu pdu;
    pdu.hex = direct.pdu.hex;
    Incoming incoming;
    const bool report = direct.pdu.report || at::kind_of(pdu) == at::StoredKind::report;
    incoming.kind = report ? Incoming::Kind::report : Incoming::Kind::message;
    incoming.hex = direct.pdu.hex;
    incoming.by = status_.identity;
    incoming.modem_index = settings_.index;
    incoming.needs_ack = routing_ == Routing::acknowledged;
    incoming.patient = report && inbox_->handed_over.empty();
    const bool needs_ack = incoming.needs_ack;
    const auto kept = co_await host_.persist(std::move(incoming));
    if (!kept) log_.error("persist-failed", {{"why", kept.error().text()}});
    if (!kept) co_return false;
    if (needs_ack && direct.incarnation == inbox_->incarnation) {
        acknowledgements_due_.push_back(direct.acknowledge_by);
        inbox_->attention.raise();
    }
    co_return true;
}

/// All that waits, read first and deleted last: one modem's delete of a part takes its siblings along (row 30).
aio::awaitable<Result<void>> Modem::Impl::take_urcs() {
    std::vector<Slot> messages, reports;
    std::deque<at::Urc> queue;
    queue.swap(inbox_->urcs);
    std::deque<at::Stored> told;
    told.swap(inbox_->stored_reports);
    for (const at::Stored& one : told) reports.push_back({one.memory, one.index});
    // what a command of another URC may not hold up, and a bring-up does not find
    std::ranges::stable_partition(
        queue, [](const at::Urc& urc) { return std::holds_alternative<at::Reference>(urc) || std::holds_alternative<at::Ussd>(urc); });
    std::vector<at::Ring> rings;
    for (const at::Urc& urc : queue) {
        if (const auto* ring = std::get_if<at::Ring>(&urc)) {
            rings.push_back(*ring);
            continue;
        }
        if (const auto* stored = std::get_if<at::Stored>(&urc)) {
            Slot slot{stored->memory, stored->index};
            (stored->report ? reports : messages).push_back(std::move(slot));
            continue;
        }
        auto done = co_await take(urc);
        if (!done) co_return done;
    }
    if (std::exchange(registration_told_, false)) {  // once, however often it was told
        if (!registered()) co_await read_registration();
        publish();
    }
    if (!rings.empty()) {
        auto done = co_await take_rings(std::move(rings));
        if (!done) co_return done;
    }
    if (!messages.empty()) {
        auto done = co_await read_slots(std::move(messages), false);
        if (!done) co_return done;
    }
    if (reports.empty()) co_return Result<void>{};
    co_return co_await read_slots(std::move(reports), true);
}

aio::awaitable<Result<void>> Modem::Impl::take(const at::Urc& urc) {
    if (const auto* registration = std::get_if<at::Registration>(&urc)) {
        const bool before = registered();
        network_.told(registration->domain, registration->stat, BootClock::now());
        note_registration(before);
        registration_told_ = true;
    } else if (const auto* reference = std::get_if<at::Reference>(&urc)) {
        log_.notice("late-reference");
        co_await host_.late_reference(reference->tp_mr);
    } else if (const auto* ussd = std::get_if<at::Ussd>(&urc)) {
        unasked(*ussd);
    } else if (const auto* full = std::get_if<at::StorageFull>(&urc)) {
        log_.warning("storage-full", {{"memory", full->memory}});
        sweep_wanted_ = true;
    } else if (std::holds_alternative<at::Ready>(urc)) {
        if (unset_rounds_ > 0) bring_up_wanted_ = true;
    } else if (const auto* boot = std::get_if<at::Boot>(&urc)) {
        const bool repeated = boot_seen_ == boot->text;
        boot_seen_ = boot->text;
        if (repeated) co_return Result<void>{};
        const bool hold = co_await indications_hold();
        if (!hold) bring_up_wanted_ = true;
    } else if (std::holds_alternative<at::SimChange>(urc)) {
        const auto same = co_await sim_holds();
        if (!same) co_return same.error();
        if (!*same) bring_up_wanted_ = true;
    }
    co_return Result<void>{};
}

void Modem::Impl::note_use(const std::string& memory, int used, int total) {
    auto known = std::ranges::find(status_.storage, memory, &ModemStatus::Storage::memory);
    if (known == status_.storage.end()) known = status_.storage.insert(known, {memory, 0, 0});
    const bool was_high = known->high(), was_full = known->full();
    known->used = used;
    known->total = total;
    if (!known->high() || (was_high && (was_full || !known->full()))) return;
    const std::string_view what = known->full() ? "storage-full" : "storage-high";
    log_.warning(what, {{"memory", memory}, {"used", used}, {"total", total}});
    host_.noted(what, memory + ": " + std::to_string(used) + " of " + std::to_string(total));
}

/// Makes `memory` the one that is read and deleted in; false when the modem refuses. Some take three memories or none (row 44).
aio::awaitable<Result<bool>> Modem::Impl::select(std::string memory) {
    if (selected_ == memory) co_return true;
    const auto quoted = [](const std::string& m) { return "\"" + m + "\""; };
    std::vector<std::string> forms{quoted(memory)};
    if (!receive_store_.empty()) {
        const std::string& write = storing_ == Storing::no ? receive_store_ : store_memory_;
        forms.push_back(quoted(memory) + "," + quoted(write) + "," + quoted(receive_store_));
        if (selects_by_three_) std::swap(forms[0], forms[1]);
    }
    for (std::size_t i = 0; i < forms.size(); ++i) {
        const auto reply = co_await query("+CPMS=" + forms[i]);
        if (!reply) co_return reply.error();
        if (!reply->ok()) continue;
        if (i > 0) selects_by_three_ = !selects_by_three_;
        selected_ = memory;
        const auto use = at::parse_cpms(reply->lines);
        if (!use.empty()) note_use(memory, use.front().used, use.front().total);
        co_return true;
    }
    co_return false;
}

/// A memory that the modem refuses now may be had later: it is asked for again, if not by each poll.
void Modem::Impl::note_refused(const std::string& memory) {
    if (++memory_refusals_[memory] != many_refusals) return;
    log_.warning("memory-refused", {{"memory", memory}});
    host_.noted("memory-refused", memory + ": the modem refuses to read it; it is asked for again now and then");
}

aio::awaitable<Result<std::optional<at::StoredPdu>>> Modem::Impl::read_slot(Slot slot) {
    const auto selected = co_await select(slot.memory);
    if (!selected) co_return selected.error();
    if (!*selected) co_return fail(AtErrc::refused, "+CPMS");
    const auto reply = co_await query("+CMGR=" + std::to_string(slot.index));
    if (!reply) co_return reply.error();
    if (swallows("+CMGR=" + std::to_string(slot.index)) || !(reply->ok() || is_empty_slot(reply->final)))
        co_return fail(AtErrc::refused, "+CMGR");
    if (!reply->ok()) co_return std::optional<at::StoredPdu>{};
    auto pdu = at::parse_cmgr(reply->lines);
    if (pdu) pdu->index = slot.index;
    co_return pdu;
}

/// The slots that +CMTI and +CDSI named. A report's slot is believed only if a report is in it (T27).
aio::awaitable<Result<void>> Modem::Impl::read_slots(std::vector<Slot> slots, bool reports) {
    const bool has_report_store = std::ranges::find(stores_, "SR") != stores_.end();
    bool in_report_store = false;
    std::map<std::string, std::vector<at::StoredPdu>> found;
    std::ranges::sort(slots);  // some modems announce a message more than once
    const auto repeated = std::ranges::unique(slots);
    slots.erase(repeated.begin(), repeated.end());
    for (const Slot& slot : slots) {
        if (reports && has_report_store && (slot.memory == "SR" || profile_->report_slot_lies)) {
            in_report_store = true;
            continue;
        }
        const bool known = slot.index >= 0 && (std::ranges::find(stores_, slot.memory) != stores_.end() || slot.memory == receive_store_);
        Result<std::optional<at::StoredPdu>> pdu = fail(AtErrc::refused, "+CPMS");
        if (known) pdu = co_await read_slot(slot);
        if (!pdu && !pdu.error().is(AtErrc::refused)) co_return pdu.error();
        if (!pdu) {
            sweep_wanted_ = true;  // T29, T57: look everywhere
            continue;
        }
        if (!*pdu && profile_->stored_late.count() > 0) {
            co_await session_->drain(profile_->stored_late, profile_->stored_late);  // row 6
            pdu = co_await read_slot(slot);
            if (!pdu) co_return pdu.error();
        }
        if (*pdu && at::kind_of(**pdu) == at::StoredKind::submission) {
            sweep_wanted_ = true;  // the Host says whose it is
            continue;
        }
        if (!*pdu || (reports && at::kind_of(**pdu) != at::StoredKind::report)) continue;
        found[slot.memory].push_back(std::move(**pdu));
    }
    for (auto& [memory, pdus] : found) {
        std::set<int> none;
        if (auto done = co_await keep(memory, std::move(pdus), std::move(none)); !done) co_return done;
    }
    if (!in_report_store) co_return Result<void>{};
    co_return co_await sweep_memory("SR", true);
}

aio::awaitable<Result<void>> Modem::Impl::sweep(bool all) {
    if (all && !stores_compared_)
        if (auto done = co_await find_one_store(); !done) co_return done;
    const auto stores = stores_;
    for (const std::string& memory : stores)
        if (auto done = co_await sweep_memory(memory, all); !done) co_return done;
    co_return Result<void>{};
}

aio::awaitable<Result<void>> Modem::Impl::sweep_memory(std::string memory, bool all) {
    if (!all && memory != receive_store_ && memory_refusals_[memory] >= many_refusals) co_return Result<void>{};
    selected_.clear();  // its counts are wanted
    const auto selected = co_await select(memory);
    if (!selected) co_return selected.error();
    if (!*selected) {
        note_refused(memory);
        co_return Result<void>{};
    }
    memory_refusals_.erase(memory);
    const auto known = std::ranges::find(status_.storage, memory, &ModemStatus::Storage::memory);
    const int used = known == status_.storage.end() ? 1 : known->used;
    if (used == 0 && !all) co_return Result<void>{};
    auto found = co_await list_memory(memory, known == status_.storage.end() ? 0 : known->total);
    if (!found) co_return found.error();
    const auto strange = co_await judge_memory(memory, *found);
    if (!strange) co_return strange.error();
    std::erase_if(unreadable_, [&](const Slot& slot) {
        return slot.memory == memory && std::ranges::find(found->pdus, slot.index, &at::StoredPdu::index) == found->pdus.end();
    });
    note_foreign(memory, *found, *strange);
    co_return co_await keep(std::move(memory), std::move(found->pdus), *strange);
}

/// What is neither a message nor ours.
void Modem::Impl::note_foreign(const std::string& memory, const Listing& found, const std::set<int>& strange) {
    const auto known = std::ranges::find(status_.storage, memory, &ModemStatus::Storage::memory);
    if (known == status_.storage.end()) return;
    const auto is_foreign = [&](const at::StoredPdu& pdu) {
        const at::StoredKind kind = at::kind_of(pdu);
        const StoredAt at{memory, pdu.index};
        const bool ours =
            std::ranges::find(open_slots_, at) != open_slots_.end() || std::ranges::find(spent_slots_, at) != spent_slots_.end();
        return !ours && (kind == at::StoredKind::own || (kind == at::StoredKind::submission && !strange.contains(pdu.index)));
    };
    known->foreign = static_cast<int>(std::ranges::count_if(found.pdus, is_foreign));
}

/// AT+CMGL=4, or slot by slot where the modem has lost its answer (row 1) or refuses the command (T59). Slots may begin at 0 (row 9).
aio::awaitable<Result<Modem::Impl::Listing>> Modem::Impl::list_memory(std::string memory, int total) {
    Listing listing;
    at::Command list = at::command("+CMGL=4");
    if (profile_->read_by_index) list.timeout = 8s;
    const auto reply = co_await session_->run(std::move(list));
    if (reply && reply->ok()) {
        listing.pdus = at::parse_cmgl(reply->lines);
        const auto is_complete = [](const at::StoredPdu& pdu) {
            const bool written_by_host = at::kind_of(pdu) == at::StoredKind::own || at::kind_of(pdu) == at::StoredKind::submission;
            return pdu.index >= 0 && !pdu.hex.empty() && (!written_by_host || !pdu.length || pdu.whole());
        };
        listing.whole = reply->lines.size() < at::max_lines && std::ranges::all_of(listing.pdus, is_complete);
        co_return listing;
    }
    if (!reply && !reply.error().is(AtErrc::timeout)) co_return reply.error();
    bool answers = true;
    if (!reply) answers = co_await session_->resync(3);
    if (!answers) co_return fail(AtErrc::timeout, "+CMGL");
    const int last = total > 0 ? std::min(total, most_slots) : slots_of_a_sim;
    listing.whole = total > 0 && total <= most_slots;
    const auto known = std::ranges::find(status_.storage, memory, &ModemStatus::Storage::memory);
    const int used = known == status_.storage.end() || !open_slots_.empty() ? 0 : known->used;
    for (int index = 0; index <= last; ++index) {
        if (used > 0 && std::ssize(listing.pdus) >= used && index > 1) break;  // the rest is empty, as the modem says
        Slot slot{memory, index};
        auto pdu = co_await read_slot(std::move(slot));
        if (!pdu && !pdu.error().is(AtErrc::refused)) co_return pdu.error();
        if (!pdu) listing.whole = false;
        if (pdu && *pdu) listing.pdus.push_back(std::move(**pdu));
    }
    co_return listing;
}

aio::awaitable<Result<void>> Modem::Impl::keep(std::string memory, std::vector<at::StoredPdu> found, std::set<int> strange) {
    std::vector<Slot> stored, asked;
    std::vector<Incoming> to_keep;
    for (at::StoredPdu& pdu : found) {
        if (pdu.index < 0) continue;
        const Slot slot{memory, pdu.index};
        if (pdu.hex.empty() || (pdu.length && !pdu.whole())) {  // cut on its way (T33): what is read twice alike is what the modem has
            auto again = co_await read_slot(slot);
            if (!again && !again.error().is(AtErrc::refused)) co_return again.error();
            const bool shown = pdu.length.value_or(0) > 0 && !swallows("+CMGR=" + std::to_string(slot.index));
            if (again && !*again && pdu.hex.empty() && shown && unreadable_.size() < 1024 && unreadable_.insert(slot).second)
                host_.noted("slot-unreadable",
                            slot.memory + " " + std::to_string(slot.index) + ": the modem shows a message without its text");
            if (!again || !*again || (!(*again)->whole() && (*again)->hex != pdu.hex && !pdu.hex.empty())) continue;
            pdu.hex = (*again)->hex;
        }
        unreadable_.erase(slot);
        const at::StoredKind kind = at::kind_of(pdu);
        if (kind == at::StoredKind::blank || kind == at::StoredKind::own) continue;
        if (kind == at::StoredKind::submission && !strange.contains(pdu.index)) continue;
        const bool known = undeletable_.contains({slot, pdu.hex});
        (known ? stored : asked).push_back(slot);
        if (!known) to_keep.push_back(incoming_from(slot, pdu));
    }
    if (!to_keep.empty()) {
        const std::vector<bool> kept = co_await host_.persist_all(std::move(to_keep));
        for (std::size_t i = 0; i < asked.size(); ++i)
            if (kept[i]) stored.push_back(asked[i]);
        const auto missing = std::ranges::count(kept, false);
        if (missing > 0) {
            log_.error("persist-failed", {{"count", missing}});
            sweep_again_at_ = std::min(sweep_again_at_, BootClock::now() + 10s);  // they are still in the modem
        }
    }
    for (const Slot& slot : stored) {
        const auto pdu = std::ranges::find(found, slot.index, &at::StoredPdu::index);
        const auto removed = co_await remove(slot);
        if (!removed && !removed.error().is(AtErrc::refused)) co_return removed.error();
        if (removed) {
            undeletable_.erase({slot, pdu->hex});
        } else if (undeletable_.size() < 1024 && undeletable_.emplace(slot, pdu->hex).second) {  // tried again by each sweep
            host_.noted("slot-quarantined", slot.memory + " " + std::to_string(slot.index) + ": stored here, and not to be deleted there");
        }
    }
    const auto known = std::ranges::find(status_.storage, memory, &ModemStatus::Storage::memory);
    const auto here = std::ranges::count_if(undeletable_, [&](const auto& one) { return one.first.memory == memory; }) +
                      std::ranges::count(unreadable_, memory, &Slot::memory);
    if (known != status_.storage.end()) known->stuck = static_cast<int>(here);
    co_return Result<void>{};
}

Incoming Modem::Impl::incoming_from(const Slot& slot, const at::StoredPdu& pdu) const {
    Incoming incoming;
    incoming.kind = at::kind_of(pdu) == at::StoredKind::report ? Incoming::Kind::report : Incoming::Kind::message;
    incoming.hex = pdu.hex;
    incoming.memory = slot.memory;
    incoming.index = slot.index;
    incoming.by = status_.identity;
    incoming.modem_index = settings_.index;
    return incoming;
}

aio::awaitable<Result<void>> Modem::Impl::remove(Slot slot) {
    const auto selected = co_await select(slot.memory);
    if (!selected) co_return selected.error();
    if (!*selected) co_return fail(AtErrc::refused, "+CPMS");
    at::FinalResult last;
    for (int i = 0; i < 2; ++i) {  // T71: refused at first with 300
        const auto reply = co_await session_->run("+CMGD=" + std::to_string(slot.index));
        if (!reply && reply.error().is(AtErrc::timeout)) {  // not again: if it was obeyed, another message may be there by now
            const bool answers = co_await session_->resync(2);
            if (answers) break;
        }
        if (!reply) co_return reply.error();
        if (reply->ok()) {
            const auto known = std::ranges::find(status_.storage, slot.memory, &ModemStatus::Storage::memory);
            if (known != status_.storage.end() && known->used > 0) --known->used;
            co_return Result<void>{};
        }
        last = reply->final;
        if (last.code && is_empty_slot(last)) co_return Result<void>{};  // empty already
    }
    log_.warning("delete-refused", {{"memory", slot.memory}, {"index", slot.index}, {"result", at::word(last)}});
    co_return fail(AtErrc::refused, "+CMGD");
}

}  // namespace conductor::driver
