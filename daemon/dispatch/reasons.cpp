#include "daemon/dispatch/reasons.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

#include "modem/at/errors.hpp"

namespace conductor::dispatch {
namespace {

/// `text` may contain "%", where the detail goes; with an empty detail `bare` is used, or `text` where there is none.
struct Sentence {
    std::string_view word;
    std::string_view text;
    std::string_view bare = {};
};

constexpr Sentence sentences[] = {
    // it waits
    {"not-due", "It is not due before %. It goes out by itself then.", "It is not due yet. It goes out by itself when its time comes."},
    {"quiet-hours", "Outside the send window at the recipient's place until %. It goes out by itself then.",
     "Outside the send window at the recipient's place. It goes out by itself when the window opens."},
    {"per-recipient-gap", "The last message to this number is too recent. It goes out by itself at %.",
     "The last message to this number is too recent (send.per_recipient_gap). It goes out by itself when the gap is over."},
    {"per-recipient-cap", "This number got as many messages as a day or a week allows. It is looked at again at %.",
     "This number got as many messages as a day or a week allows (send.per_recipient). It goes out by itself when the oldest has aged."},
    {"daily-budget", "Today's number of marketing messages is used up. It goes out by itself at %.",
     "Today's number of marketing messages is used up (send.daily_budget). It goes out by itself tomorrow; raise the budget to send it "
     "today."},
    {"sim-limit", "The SIMs that may send it reached their limits. It goes out by itself at %.",
     "The SIMs that may send it reached their limits (per_minute, per_hour, per_day, per_month). It goes out by itself when a slot is "
     "free."},
    {"paused", "Sending is paused. It goes out after an operator resumes it (conductorctl queue resume)."},
    {"campaign-paused", "Its campaign is paused. It goes out after an operator resumes it (conductorctl queue resume --campaign NAME)."},
    {"modem-paused", "The modem that may send it is paused. It goes out after conductorctl queue resume --modem I."},
    {"set-order",
     "Message % goes before it in its set and is not out yet. It follows that one by itself within seconds; conductorctl why % says what "
     "that one waits for.",
     "The message before it in its set went out a moment ago. It follows by itself within seconds."},
    {"recipient-order",
     "A message to this number that was begun before it is not settled yet, and what one number gets keeps its order. It follows by "
     "itself."},
    {"set-stopped",
     "A message before it in its set did not go out, and a set keeps its order. To have it follow by itself, %; else cancel it.",
     "A message before it in its set did not go out, and a set keeps its order. Retry that one (conductorctl queue retry) and this one "
     "follows by itself; else cancel it."},
    {"catch-up", "Much became overdue while nothing could be sent, so it leaves evenly spaced. It goes out by itself at %.",
     "Much became overdue while nothing could be sent, so it leaves evenly spaced. It goes out by itself."},
    {"route-has-no-modem",
     "The [[route]] of its number names no modem of the configuration that takes its class. Correct the route, or add the modem."},
    {"no-modem-configured", "The configuration names no modem. Add a [[modem]]; conductorctl modem discover shows a block to copy."},
    {"modem-not-for-class",
     "The modem that the caller chose does not take messages of its class (classes). Choose another, or add the class."},
    {"class-has-no-modem", "No [[modem]] takes messages of its class. Add the class to a modem's classes."},
    {"behind", "It is ready, and % ready messages go before it. It goes out by itself in its turn.",
     "It is ready, and others go before it. It goes out by itself in its turn."},
    {"on-modem", "It is on modem % now, and its answer is awaited. Nothing is to be done.",
     "It is on a modem now, and its answer is awaited. Nothing is to be done."},
    {"awaiting-report", "The network took it, and the delivery report is awaited until %. Nothing is to be done.",
     "The network took it, and the delivery report is awaited. Nothing is to be done."},
    {"delivered", "The recipient's phone has it. Nothing is to be done."},
    {"sent", "The network took it, and no delivery report was asked for. Nothing is to be done."},
    {"other-modem", "Its last try failed on one modem, so another one takes it. It goes out by itself within seconds."},
    {"no-modem", "No modem that may send it is ready. It goes out by itself when one is; see conductorctl modem list, then doctor."},
    {"waiting-for-modem", "It waits for its turn on a modem. Nothing is to be done."},
    {"due-too-far", "due_at is more than five years ahead. The caller must name an earlier time."},
    {"modem-disabled", "The modem that may send it is disabled. It goes out after conductorctl modem enable."},
    {"sim-paused",
     "The SIM that may send it rests after refusals that are about the SIM. It goes out by itself when the rest is over; see conductorctl "
     "modem show for the reason."},
    {"awaiting-answer", "The modem may still answer the last submission before the restart. It goes on by itself within 70 seconds."},
    {"lease-lost",
     "The time in which this box was allowed to send it is over, so it was given back to Supabase. Another claim, by this box or another, "
     "sends it."},
    {"lease-over", "The box that had it did not tell what became of it in time. It may have gone out; nothing is sent again by itself."},
    {"begun-before",
     "This box had begun it under a database that is gone, so it may have been sent. It is not sent again by itself; schedule it again if "
     "it did not arrive."},
    {"awaiting-go", "It is due, and Supabase is asked whether it still may go. It goes out by itself when the answer is here."},
    {"edited", "It was edited in Supabase after this box had taken it, so this copy ended. The new text is claimed afresh."},
    {"belongs-to-supabase", "It is a row of Supabase: schedule it again there, and a box claims it afresh."},
    {"no-supabase", "No [supabase] is configured: this box keeps everything local."},
    {"store-failed", "The database refused: %. Nothing was taken. The caller should ask again; an operator must look at the disk.",
     "The database refused. Nothing was taken. The caller should ask again; an operator must look at the disk."},
    {"held", "An operator holds it. It goes out after conductorctl queue retry."},
    {"restored",
     "The database was restored, downgraded or moved, so it may have been sent already. It is held until Supabase or conductorctl db "
     "release confirms it."},
    {"restarted",
     "The daemon was restarted while this was on its way. What may have gone out is not sent again; the rest continues by itself."},
    {"in-modem",
     "It lies in the modem's own storage, which says whether it went out. It is read as soon as the modem answers; plug it in if it is "
     "away."},
    {"not-sent", "The modem's own storage says that it was not sent. It is sent again by itself."},
    {"slot-gone",
     "The modem's storage no longer holds it, so nothing says whether it went out. It is not sent again by itself; a delivery report "
     "decides."},
    {"slot-unread",
     "The modem that holds it did not come back in time, so nothing says whether it went out. It is not sent again by itself."},
    {"journal-failed", "The disk did not take the journal of it, so it was not sent. It goes out by itself when the disk does."},
    {"clock-unsure", "The box does not know the time yet. It goes out by itself once RTC, network time or a modem tells it."},
    {"no-time-zone", "The system's tzdata lacks the time zone of recipient and box, so the send window is not known. Install tzdata."},
    {"disk-full",
     "The disk is full, and nothing is sent that cannot be journaled. A technician must free space; then it goes out by itself."},
    {"disk-read-only",
     "The disk takes no writes, and nothing is sent that cannot be journaled. A technician must look at the disk; then it goes on by "
     "itself."},
    {"disk-failed",
     "The disk or the database refuses to store anything, and nothing is sent that cannot be journaled. A technician must look at the disk "
     "(conductorctl doctor); then it goes out by itself."},
    {"database-damaged",
     "The database is damaged: nothing is sent, and nothing was moved or deleted. A technician must stop the daemon, run conductorctl db "
     "check, and put a good copy back with conductorctl db restore."},
    {"database-missing",
     "The database is gone, though this machine had one: nothing is sent. A technician must put it back (conductorctl db restore), or say "
     "with conductorctl db release that it is to begin anew."},
    {"database-newer",
     "The database was made by a newer version of conductord: nothing is sent. A technician must install that version again."},
    {"sim-rests", "The SIM that it needs is resting. It goes out by itself afterwards, or through another modem."},
    {"sim-refused",
     "The network refused several numbers in a row on this SIM, so the SIM rests, longer each time, and then tries one message. Ask its "
     "operator about plan and balance, then accept the SIM again (conductorctl modem accept-sim) to end the rest; the messages wait."},
    {"sim-swapped",
     "The modem holds another SIM than before. A technician must accept it (conductorctl modem accept-sim); then it goes out."},
    {"unregistered",
     "The modem is not registered with a network. It goes out by itself once it is; check antenna and reception if this stays."},
    {"storage-full", "The modem's message storage is full. It is read and cleared by itself; then it goes out."},
    // it was refused or ended
    {"opted-out",
     "The recipient opted out, and nothing is sent to him. START from the recipient allows messages again, or a person who has that "
     "from him in another way (conductorctl opt-out remove); a reply may answer what he writes after it."},
    {"no-consent", "No consent of the recipient is on record, which marketing needs. Record it (consent), then send it again."},
    {"consent-revoked", "The recipient's consent was withdrawn. It is not sent; a new consent allows messages again."},
    {"free-text", "The recipient asked in free words not to be texted. The number is opted out; a person should read the message."},
    {"bad-number", "The phone number cannot be used: %. Correct it and send again.",
     "The phone number cannot be used. Correct it and send again."},
    {"premium-number", "The number is of a premium range, and those are always refused. Use another number."},
    {"country-not-allowed", "The number's country is not in send.countries. Add the country, or use another number."},
    {"empty-text", "The text is empty. Send it again with a text."},
    {"bad-text", "The text cannot be sent: %. Correct it and send again.", "The text cannot be sent. Correct it and send again."},
    {"bubble-in-text", "The text contains [BUBBLE]. Split it there and send the pieces as messages of their own."},
    {"unreplaced-variable", "The text contains a {variable} that nothing replaced. Fill it in and send again."},
    {"too-many-segments", "The text needs more than % parts. Shorten it, or raise send.max_segments.",
     "The text needs more parts than send.max_segments allows. Shorten it."},
    {"not-encodable", "The message cannot be encoded: %. Report it with the message's id.",
     "The message cannot be encoded. Report it with the message's id."},
    {"bad-state", "The state is none of the US or Canada, in two letters. Correct it and send again, or leave it out."},
    {"bad-time-zone", "The time zone is no name of tzdata, such as America/New_York. Correct it and send again, or leave it out."},
    {"no-such-modem", "There is no modem with index %. Name one of conductorctl modem list, or none.",
     "The modem named for it does not exist. Name one of conductorctl modem list, or none."},
    {"no-inbound",
     "A reply needs a message from that number within the last 7 days. Send it as transactional instead, if that is what it is."},
    {"duplicate", "The same text went to this number within send.duplicate_window: message %. Nothing is to be done.",
     "The same text went to this number within send.duplicate_window. Nothing is to be done."},
    {"key-in-use", "The key belongs to another message. Choose a new key for new content."},
    {"queue-full", "The queue holds % messages, which is its limit. Try again later, or raise gateway.queue_limit.",
     "The queue is full. Try again later, or raise gateway.queue_limit."},
    {"expired", "Its time was over before it could go out. Send it anew if it is still wanted."},
    {"late", "Its window closed before it could go out, and send.late says to drop such messages. Send it anew if it is still wanted."},
    {"no-window",
     "Window, days and the rules of the recipient's place leave no time at which it may go out. Widen the window, or correct the address."},
    {"cancelled", "It was cancelled. Send it anew if it is still wanted."},
    {"stale-epoch", "Supabase gave it to another gateway meanwhile. That one sends it; nothing is to be done."},
    {"attempts-used", "All attempts failed. Mend the cause, then conductorctl queue retry."},
    // what became of it
    {"timeout", "The modem did not answer in time. If its text was out by then it may have gone out: a delivery report decides."},
    {"reserved-key", "Keys that begin with \"supabase-\" or \"answer-\" are the gateway's own. The caller must choose another one."},
    {"late-commit",
     "The disk took so long to journal it that its time or its lease was over by then, so nothing was sent. It is looked at again by "
     "itself."},
    {"step-failed",
     "The database refuses for good to store what became of it. It may have gone out, and nothing is sent again by itself. The audit "
     "(store-failed) says why: please report it."},
    {"put-aside",
     "The database refuses for good to store its next step, so others go before it. It is tried again each hour. The audit "
     "(store-failed) says why: please report it."},
    {"no-prompt", "The modem did not ask for the text, so nothing was sent. It takes another modem or is tried again by itself."},
    {"echo-differs", "The modem did not take the whole text, as its echo showed, so nothing was sent. It is tried again by itself."},
    {"port-lost", "The line to the modem was lost. If the text was out by then it may have gone out: a delivery report decides."},
    {"interrupted", "The daemon stopped before the text was out, so nothing was sent. It goes out by itself."},
    {"rebooted", "The modem restarted by itself. If the text was out by then it may have gone out: a delivery report decides."},
    {"no-reference", "The modem confirmed without a reference. It may have gone out; its delivery report cannot be matched."},
    {"error", "The modem refused without a number. If the text was out by then it may have gone out: a delivery report decides."},
    {"incomplete",
     "Some parts went out, the rest could not before the time was over. The recipient saw a fragment: send it anew if it matters."},
    {"validity-expired",
     "The service centre could not deliver it before its validity ended: phone off or out of reach. Send it anew if still wanted."},
    {"unconfirmed", "The service centre passed it on and cannot confirm more. It counts as delivered."},
    {"not-delivered", "The service centre gave up delivering it: %. Check the number before sending anew.",
     "The service centre gave up delivering it. Check the number before sending anew."},
    {"no-report", "No delivery report came in time. It was sent; whether it arrived is not known."},
    {"parts-missing", "Parts of this incoming message never arrived. It is shown with gaps; ask the sender if it matters."},
    {"undecodable", "What arrived could not be read. It is kept as it came (%); report it with these octets, a later release may read it.",
     "What arrived could not be read. It is kept as it came; report it, a later release may read it."},
    {"compressed", "Its text is compressed (TS 23.042), which no phone of today does. It is kept as it came (%).",
     "Its text is compressed (TS 23.042), which no phone of today does. It is kept as it came."},
    // a modem's state
    {"no-port", "No port fits this modem. Plug it in, or correct its match; it is found by itself."},
    {"port-busy", "Another program holds the modem's port. Stop it (often ModemManager); it is tried again by itself."},
    {"port-hung", "The modem's USB device hangs. It is reset where that is possible; else unplug it and plug it in again."},
    {"port-denied", "The daemon may not open the modem's port. A technician must install the udev rules."},
    {"port-hangs-up", "The modem's port opens and hangs up at once. See to what is behind it; it is opened again every few seconds."},
    {"open-failed", "The modem's port could not be opened. It is tried again by itself; replug the modem if this stays."},
    {"mute", "The modem does not answer. It is reset by itself, step by step."},
    {"boot-loop", "The modem restarts again and again. It is reset by itself, step by step; see to its supply if this stays."},
    {"not-ready", "The modem is still being set up. It is tried again by itself."},
    {"pin-needed", "The SIM wants its PIN. Put it into the modem's pin_file; it is tried once."},
    {"pin-refused", "The PIN was wrong and is not tried again. Correct the pin_file, before the SIM locks itself."},
    {"pin-last-try", "The SIM has one try for its PIN left, and that is a person's. Enter it in a phone."},
    {"locked", "The modem asks for a code that is not the SIM's PIN. Its seller knows it."},
    {"puk-needed", "The SIM is locked and wants its PUK. A person must enter it in a phone."},
    {"sim-absent", "No SIM is in the modem. Insert one; the modem is reset by itself."},
    {"sim-busy", "The SIM does not get ready. It is switched off and on by itself; re-seat it if this stays."},
    {"sim-unread",
     "The modem does not tell which SIM it holds, and its match.iccid must hold. It is asked again by itself; re-seat the SIM."},
    {"sim-failure", "The SIM failed. Re-seat or replace it."},
    {"sim-changed", "The modem holds another SIM than before. It goes on after conductorctl modem accept-sim, or with the old SIM."},
    {"wrong-sim", "The modem holds another SIM than its match.iccid names. Put that one in, or correct the configuration."},
    {"wrong-modem", "Another modem is on the port than the configuration names. Plug in the right one, or correct its match."},
    {"restarting", "The modem restarts. It is back within a minute."},
    {"no-sending", "The modem answers, but takes no message. It is reset by itself, step by step; power it off and on if this stays."},
    {"no-pdu-mode", "The modem stays in text mode, so nothing can be sent or read. Power it off and on."},
    {"denied", "The network denies this SIM. Ask its operator about plan, balance and roaming; it registers by itself once it may."},
    {"emergency-only", "The network allows emergency calls alone to this SIM. Check the SIM, and ask its operator."},
    {"plan-without-sms",
     "The network gives this SIM data and refuses SMS. Ask its operator for SMS on its plan; it is tried again within the hour."},
    {"no-coverage", "The modem is out of coverage. It goes out by itself once there is some; see to the antenna if this stays."},
    {"not-searching", "The modem is not registered and does not search. It is told to, and reset by itself if that does not help."},
    {"disabled", "A technician disabled this modem (conductorctl modem enable brings it back)."},
};

const Sentence* find(std::string_view word) {
    const auto* found = std::find_if(std::begin(sentences), std::end(sentences), [&](const Sentence& s) { return s.word == word; });
    return found == std::end(sentences) ? nullptr : found;
}

/// "cms-38" and "cme-14".
std::optional<at::Failure> code_of(std::string_view word) {
    at::Failure f;
    if (word.starts_with("cms-"))
        f.kind = at::FailureKind::cms;
    else if (word.starts_with("cme-"))
        f.kind = at::FailureKind::cme;
    else
        return std::nullopt;
    int code = 0;
    const auto [end, ec] = std::from_chars(word.data() + 4, word.data() + word.size(), code);
    if (ec != std::errc{} || end != word.data() + word.size() || code < 0) return std::nullopt;
    f.code = code;
    f.phase = at::Phase::before_ctrl_z;  // the meaning is the same in both
    return f;
}

std::string filled(const Sentence& s, std::string_view detail) {
    if (s.text.find('%') == std::string_view::npos) return std::string{s.text};
    if (detail.empty()) return std::string{s.bare};
    std::string out;
    for (const char c : s.text) {
        if (c == '%')
            out += detail;
        else
            out += c;
    }
    return out;
}

std::string code_text(const at::Failure& f, std::optional<MessageStatus> status) {
    const at::Verdict v = at::classify(f);
    std::string out{v.meaning};
    out += ' ';
    const bool waits = !status || *status == MessageStatus::queued || *status == MessageStatus::sending;
    if (status == MessageStatus::unknown)
        out += "It may have gone out: a delivery report decides. It is not sent again unless a person retries it.";
    else if (waits || v.error_class == at::ErrorClass::permanent_recipient || v.error_class == at::ErrorClass::permanent_content ||
             v.error_class == at::ErrorClass::duplicate)
        out += v.advice;
    else
        out += "All attempts were used. Mend the cause, then conductorctl queue retry.";
    return out;
}

std::string text_of(std::string_view word, std::string_view detail, std::optional<MessageStatus> status) {
    if (word.empty()) return {};
    if (const Sentence* s = find(word)) return filled(*s, detail);
    if (const auto f = code_of(word)) return code_text(*f, status);
    std::string out = "The reason is \"" + std::string{word} + "\"";
    if (!detail.empty()) out += ": " + std::string{detail};
    return out + ". Look at conductorctl why and the log, or ask for support.";
}

}  // namespace

std::string reason_text(std::string_view word, std::string_view detail) {
    return text_of(word, detail, std::nullopt);
}

std::string reason_text(std::string_view word, MessageStatus status, std::string_view detail) {
    return text_of(word, detail, status);
}

std::optional<at::Failure> failure_of_word(std::string_view word) {
    return code_of(word);
}

bool known_reason(std::string_view word) {
    return find(word) || code_of(word);
}

std::vector<std::string_view> reason_words() {
    std::vector<std::string_view> out;
    for (const Sentence& s : sentences) out.push_back(s.word);
    return out;
}

}  // namespace conductor::dispatch
