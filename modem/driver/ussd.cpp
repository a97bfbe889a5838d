// USSD: codes and replies of a technician, the balance of the SIM, and what the network says unasked.
#include "modem/at/ussd.hpp"

#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;
using at::AtErrc;
using at::UssdStatus;

namespace {
constexpr auto answer_limit = 45s;  ///< for the network's answer, behind the OK

bool is(const at::Ussd& answer, UssdStatus status) {
    return answer.status == static_cast<int>(status);
}
}  // namespace

/// The alphabet of the texts, where the audit has not come to it yet.
aio::awaitable<Result<void>> Modem::Impl::learn_alphabet() {
    if (found_.contains("CSCS")) co_return Result<void>{};
    auto value = co_await read_setting("CSCS");
    if (!value) co_return value.error();
    found_["CSCS"] = std::move(*value);
    co_return Result<void>{};
}

/// AT+CSCS as the modem has it; the audit sets "GSM" in place of one that would give hex.
bool Modem::Impl::ussd_in_gsm() const {
    const auto found = found_.find("CSCS");
    const std::string alphabet = found == found_.end() ? "" : at::upper(found->second);
    return alphabet == "GSM" || ((alphabet == "UCS2" || alphabet == "HEX") && !audit_wanted_);
}

/// False when the modem refuses this form of the code.
aio::awaitable<Result<bool>> Modem::Impl::send_ussd(std::string code, bool packed) {
    std::string written = code;
    if (packed) written = at::pack_ussd(code).value_or(code);
    const auto reply = co_await session_->run("+CUSD=1,\"" + written + "\",15");
    if (!reply) co_return reply.error();
    co_return reply->ok();
}

/// One code or reply, and the network's answer: a URC, before or after the OK (T41). Fails with `refused` where the modem or the network
/// does not take this form of the code.
aio::awaitable<Result<at::Ussd>> Modem::Impl::ussd_exchange(std::string code, bool packed) {
    const auto is_ussd = [](const at::Urc& urc) { return std::holds_alternative<at::Ussd>(urc); };
    for (auto before = std::ranges::find_if(inbox_->urcs, is_ussd); before != inbox_->urcs.end();
         before = std::ranges::find_if(inbox_->urcs, is_ussd)) {  // no answer to what is asked now
        const at::Ussd old = std::get<at::Ussd>(*before);
        inbox_->urcs.erase(before);
        unasked(old);
    }
    const auto sent = co_await send_ussd(std::move(code), packed);
    if (!sent) co_return sent.error();
    if (!*sent) co_return fail(AtErrc::refused, "+CUSD");
    const Instant until = BootClock::now() + answer_limit;
    for (;;) {
        const auto is_answer = [](const at::Urc& urc) { return std::holds_alternative<at::Ussd>(urc); };
        const auto found = std::ranges::find_if(inbox_->urcs, is_answer);
        if (found != inbox_->urcs.end()) {
            const at::Ussd answer = std::get<at::Ussd>(*found);
            inbox_->urcs.erase(found);
            if (is(answer, UssdStatus::not_supported)) co_return fail(AtErrc::refused, "+CUSD: 4");
            ussd_form_ = packed;
            co_return answer;
        }
        if (condition() != End::ok) co_return fail(AtErrc::lost, "ussd");
        if (BootClock::now() >= until) {
            co_await tell("+CUSD=2");
            co_return fail(AtErrc::timeout, "ussd");
        }
        co_await session_->listen_until(until);
    }
}

void Modem::Impl::note_session(const at::Ussd& answer) {
    status_.ussd_open = is(answer, UssdStatus::reply_wanted);
    if (status_.ussd_open) ussd_until_ = BootClock::now() + UssdAnswer::session_limit;
    publish();
}

/// The code goes as text, and packed where the family wants that; the other form is tried where the first is refused (T43, row 8). A reply
/// keeps the form of its session.
aio::awaitable<Result<AtAnswer>> Modem::Impl::run_ussd(std::string code) {
    if (code.empty() || code.find_first_of("\"\r\n\x1a\x1b") != std::string::npos) co_return fail(AtErrc::forbidden, "ussd");
    const bool begins = code.front() == '*' || code.front() == '#';
    if (status_.ussd_open && begins) co_await tell("+CUSD=2");
    const bool replies = status_.ussd_open && !begins;
    if (balance_until_ != Instant{}) balance_came(fail(AtErrc::interrupted, "ussd"));
    if (const auto known = co_await learn_alphabet(); !known) co_return known.error();
    const bool first = ussd_packs();
    auto answer = co_await ussd_exchange(code, first);
    if (!answer && answer.error().is(AtErrc::refused) && !replies && at::pack_ussd(code)) answer = co_await ussd_exchange(code, !first);
    if (!answer) {
        if (std::exchange(status_.ussd_open, false)) publish();
        co_return answer.error();
    }
    note_session(*answer);
    AtAnswer out;
    out.final_result = at::ussd_text(*answer, ussd_packs(), ussd_in_gsm());
    out.lines.push_back(std::to_string(answer->status));
    co_return out;
}

/// Nobody waits for it: the answer to the balance's question, or the network's own word.
void Modem::Impl::unasked(const at::Ussd& answer) {
    if (balance_until_ != Instant{}) return balance_came(answer);
    note_session(answer);
    const std::string text = at::ussd_text(answer, ussd_packs(), ussd_in_gsm());
    log_.notice("ussd-received", {{"status", answer.status}, {"octets", text.size()}});
    if (!text.empty()) host_.noted("ussd-received", text);
}

/// The question alone: its answer is taken when it comes, and sending goes on meanwhile.
aio::awaitable<Result<void>> Modem::Impl::ask_balance() {
    const std::string code = host_.balance_code();
    busy_at_ = BootClock::now();
    if (code.empty()) co_return Result<void>{};
    if (auto known = co_await learn_alphabet(); !known) {
        host_.balance_answered(known.error());
        co_return known;
    }
    balance_forms_ = 1;
    balance_until_ = BootClock::now() + answer_limit;
    auto sent = co_await send_ussd(code, ussd_packs());
    if (sent && !*sent) {
        ++balance_forms_;
        const bool other = !ussd_packs();
        sent = co_await send_ussd(code, other);
        if (sent && *sent) ussd_form_ = other;
    }
    if (!sent) {
        balance_came(sent.error());
        co_return sent.error();
    }
    if (!*sent) balance_came(fail(AtErrc::refused, "+CUSD"));
    co_return Result<void>{};
}

void Modem::Impl::balance_came(Result<at::Ussd> answer) {
    balance_until_ = {};
    if (!answer) return host_.balance_answered(answer.error());
    note_session(*answer);
    if (is(*answer, UssdStatus::not_supported)) {
        if (balance_forms_ == 1) ussd_form_ = !ussd_packs();  // the next question goes in the other form
        return host_.balance_answered(fail(AtErrc::refused, "+CUSD: 4"));
    }
    host_.balance_answered(at::ussd_text(*answer, ussd_packs(), ussd_in_gsm()));
}

}  // namespace conductor::driver
