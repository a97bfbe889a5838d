#include "tools/conductorctl/app.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>

#include "tools/conductorctl/commands.hpp"
#include "tools/conductorctl/doctor.hpp"
#include "tools/conductorctl/pdu.hpp"

namespace conductor::ctl {
namespace {

/// What the command line fills; one set for all subcommands, since only one of them runs.
struct Options {
    std::string socket = "/run/conductor/control.sock";
    std::string config = "/etc/conductor/conductor.toml";
    bool json = false;
    SendOptions send;
    ListOptions list;
    std::int64_t id = 0;
    int index = 0;
    std::string argument, reason, campaign;
    std::optional<ModemIndex> modem;
    PduEncodeOptions encode;
    std::optional<std::string> direction;
};

using Action = std::function<int(Session&)>;

/// Adds subcommands that remember what to run when they are the one that was given.
class Commands {
public:
    Commands(CLI::App& app, Options& options, Action& action) : app_{app}, o{options}, action_{action} {}

    void add() {
        command(app_, "status", "the gateway at a glance", status);
        add_send();
        add_queue();
        CLI::App* w =
            command(app_, "why", "why a message is in its state, and what happens next", [this](Session& s) { return why(s, o.id); });
        id(*w);
        add_inbox();
        add_modem();
        add_opt_out();
        add_sync();
        add_config();
        add_db();
        add_pdu();
        command(app_, "doctor", "every check: pass, warn or fail, with its cause, evidence and remedy",
                [this](Session& s) { return doctor(s, o.socket, o.config); })
            ->add_option("--config", o.config, "default /etc/conductor/conductor.toml")
            ->check(file_);
    }

private:
    CLI::App* command(CLI::App& parent, const char* name, const char* help, Action run) {
        CLI::App* sub = parent.add_subcommand(name, help);
        sub->callback([this, run = std::move(run)] { action_ = run; });
        return sub;
    }
    CLI::App& group(const char* name, const char* help) {
        CLI::App* sub = app_.add_subcommand(name, help);
        sub->require_subcommand(1);
        return *sub;
    }
    void id(CLI::App& sub) {
        sub.add_option("ID", o.id, "id of the message")
            ->required()
            ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max(), "ID"));
    }
    void index(CLI::App& sub) { sub.add_option("I", o.index, "modem_index")->required()->check(CLI::Range(0, 9999, "INDEX")); }

    void add_send() {
        CLI::App* sub = command(app_, "send", "send one message, or the rows of a file", [this](Session& s) {
            if (!o.send.file.empty()) return send_file(s, o.send);
            if (o.send.to.empty()) return s.fail(usage, "usage", "send: --to and --text, or --file");
            return send(s, o.send);
        });
        auto* to = sub->add_option("--to", o.send.to, "recipient: +15550100123, or as dialled here");
        auto* text = sub->add_option("--text", o.send.text, "the text");
        auto* file = sub->add_option("--file", o.send.file, "CSV with a header (to,text,key,class,at,...) or NDJSON; by its ending");
        to->excludes(file)->needs(text);
        text->excludes(file)->needs(to);
        for (auto* option : {sub->add_option("--key", o.send.key, "idempotency key: the same key is never sent twice"),
                             sub->add_option("--at", o.send.at, "due time: RFC 3339, \"2026-11-21 18:00\", 18:00 or +10m"),
                             sub->add_option("--priority", o.send.priority, "0-100, higher first")->check(CLI::Range(0.0, 100.0)),
                             sub->add_option("--modem", o.send.modem_index, "through this modem only")->check(CLI::Range(0, 9999)),
                             sub->add_option("--expire-after", o.send.expire_after, "not later than this after it may go: 24h"),
                             sub->add_option("--on-unknown", o.send.on_unknown, "hold or resend")->check(CLI::IsMember({"hold", "resend"})),
                             sub->add_option("--in-reply-to", o.send.in_reply_to, "id of the inbound message it answers"),
                             sub->add_flag("--report", o.send.report, "ask for a delivery report"),
                             sub->add_flag("--flash", o.send.flash, "class 0: shown at once, not stored"),
                             sub->add_flag("--consent", o.send.consent, "the recipient consented (recorded)")})
            option->excludes(file);
        sub->add_option("--class", o.send.message_class, "marketing, transactional (default) or reply")
            ->check(CLI::IsMember({"marketing", "transactional", "reply"}));
    }

    void list_options(CLI::App& sub) {
        sub.add_option("--to", o.list.to, "this number alone");
        sub.add_option("--after", o.list.after, "older than this id");
        sub.add_option("--limit", o.list.limit, "rows, 1-1000 (default 50)")->check(CLI::Range(1, 1000));
    }

    void add_queue() {
        CLI::App& queue = group("queue", "outbound messages");
        CLI::App* all = command(queue, "list", "newest first", [this](Session& s) { return queue_list(s, o.list); });
        all->add_option("--status", o.list.status, "queued, sending, sent, delivered, failed, ...");
        list_options(*all);
        id(*command(queue, "show", "one message", [this](Session& s) { return message_show(s, o.id); }));
        id(*command(queue, "explain", "its priority's parts, what blocks it, its attempts",
                    [this](Session& s) { return queue_explain(s, o.id); }));
        id(*command(queue, "cancel", "do not send it", [this](Session& s) { return message_action(s, o.id, "cancel"); }));
        id(*command(queue, "retry", "a new round for a message that failed",
                    [this](Session& s) { return message_action(s, o.id, "retry"); }));
        for (const bool pause : {true, false}) {
            CLI::App* sub = command(queue, pause ? "pause" : "resume", pause ? "send nothing new" : "end a pause",
                                    [this, pause](Session& s) { return queue_pause(s, pause, o.campaign, o.modem); });
            CLI::Option* campaign = sub->add_option("--campaign", o.campaign, "of this campaign alone");
            sub->add_option("--modem", o.modem, "through this modem alone")->check(CLI::Range(0, 9999))->excludes(campaign);
        }
    }

    void add_inbox() {
        CLI::App& inbox = group("inbox", "messages that came in");
        CLI::App* all = command(inbox, "list", "newest first", [this](Session& s) { return inbox_list(s, o.list); });
        all->add_option("--status", o.list.status, "unread or read")->check(CLI::IsMember({"unread", "read"}));
        list_options(*all);
        id(*command(inbox, "show", "one message", [this](Session& s) { return message_show(s, o.id); }));
        id(*command(inbox, "read", "mark as read", [this](Session& s) { return message_action(s, o.id, "read"); }));
    }

    void add_modem() {
        CLI::App& modem = group("modem", "modems");
        command(modem, "list", "all of them", modem_list);
        command(modem, "discover", "every port, who is behind it, and a block for the configuration where it is new",
                [this](Session& s) { return modem_discover(s, o.config); })
            ->add_option("--config", o.config, "says where to look when no daemon runs; default /etc/conductor/conductor.toml")
            ->check(file_);
        command(modem, "probe", "identity, SIM, registration, storage and settings behind one port",
                [this](Session& s) { return modem_probe(s, o.argument); })
            ->add_option("PORT", o.argument, "/dev/ttyUSB2, pty:PATH or tcp:HOST:PORT")
            ->required();
        index(*command(modem, "show", "everything about one", [this](Session& s) { return modem_show(s, o.index); }));
        for (const char* action : {"reset", "enable", "disable", "accept-sim"})
            index(*command(modem, action, "see the manual", [this, action](Session& s) { return modem_action(s, o.index, action); }));
        modem.get_subcommand("reset")->description("start the recovery of a modem now");
        modem.get_subcommand("enable")->description("use it again");
        modem.get_subcommand("disable")->description("finish what is under way, then leave it alone");
        modem.get_subcommand("accept-sim")->description("the SIM was swapped on purpose");
        CLI::App* at =
            command(modem, "at", "one AT command between two submissions", [this](Session& s) { return modem_at(s, o.index, o.argument); });
        index(*at);
        at->add_option("CMD", o.argument, "as AT+CSQ")->required();
        CLI::App* ussd = command(modem, "ussd", "one USSD code", [this](Session& s) { return modem_ussd(s, o.index, o.argument); });
        index(*ussd);
        ussd->add_option("CODE", o.argument, "as *100#")->required();
        index(*command(modem, "trace", "the last minutes on its port, as a transcript",
                       [this](Session& s) { return modem_trace(s, o.index); }));
    }

    void add_opt_out() {
        CLI::App& opt_out = group("opt-out", "who gets nothing");
        command(opt_out, "list", "all of them", opt_out_list);
        CLI::App* add =
            command(opt_out, "add", "send nothing to a number", [this](Session& s) { return opt_out_set(s, o.argument, true, o.reason); });
        add->add_option("N", o.argument, "phone number")->required();
        add->add_option("--reason", o.reason, "for the record");
        CLI::App* remove = command(opt_out, "remove", "the recipient asked to get messages again",
                                   [this](Session& s) { return opt_out_set(s, o.argument, false, o.reason); });
        remove->add_option("N", o.argument, "phone number")->required();
        remove->add_option("--reason", o.reason, "for the record");
    }

    void add_sync() {
        CLI::App& sync = group("sync", "Supabase");
        command(sync, "status", "what waits, what failed, when it last worked", sync_status);
        command(sync, "now", "do not wait for the next poll", sync_now);
    }

    void add_config() {
        CLI::App& config = group("config", "the configuration file; needs no daemon");
        command(config, "check", "every problem of it", [this](Session& s) { return config_check(s, o.config); })
            ->add_option("--config", o.config, "default /etc/conductor/conductor.toml")
            ->check(file_);
        command(config, "show", "with all defaults, as JSON", [this](Session& s) { return config_show(s, o.config); })
            ->add_option("--config", o.config, "default /etc/conductor/conductor.toml")
            ->check(file_);
    }

    void add_db() {
        CLI::App& db = group("db", "the database file; check and backup work beside a running daemon, restore only without one");
        CLI::App* all[] = {
            command(db, "check", "integrity, schema, sizes, what is held", [this](Session& s) { return db_check(s, o.config); }),
            command(db, "backup", "a copy of this moment, compact and whole",
                    [this](Session& s) { return db_backup(s, o.config, o.argument); }),
            command(db, "restore", "put a copy in its place; what was there is kept beside it",
                    [this](Session& s) { return db_restore(s, o.config, o.argument); }),
            command(db, "release", "this database is the right one: what is held goes on",
                    [this](Session& s) { return db_release(s, o.config); })};
        for (CLI::App* one : all)
            one->add_option("--config", o.config, "names the database (default /etc/conductor/conductor.toml)")->check(file_);
        all[1]->add_option("FILE", o.argument, "must not exist")->required();
        all[2]->add_option("FILE", o.argument, "a backup")->required();
    }

    void add_pdu() {
        CLI::App& pdu = group("pdu", "SMS PDUs to and from text; needs no daemon");
        CLI::App* encode = command(pdu, "encode", "a text to SMS-SUBMIT PDUs",
                                   [this](Session& s) { return pdu_encode(o.encode, s.json, s.io.out, s.io.err); });
        encode->add_option("--to", o.encode.to, "recipient")->required();
        encode->add_option("--text", o.encode.text, "the text")->required();
        encode->add_flag("--report", o.encode.report, "TP-SRR");
        encode->add_flag("--flash", o.encode.flash, "class 0");
        encode->add_option("--validity", o.encode.validity, "30m, 24h, 3d");
        encode->add_option("--smsc", o.encode.smsc, "service centre");
        encode->add_option("--ref", o.encode.ref, "concatenation reference");
        encode->add_option("--encoding", o.encode.encoding, "auto, gsm7 or ucs2");
        CLI::App* decode = command(pdu, "decode", "what a PDU says",
                                   [this](Session& s) { return pdu_decode(o.argument, o.direction, s.json, s.io.in, s.io.out, s.io.err); });
        decode->add_option("HEX", o.argument, "the PDU with its SMSC field, or - for one a line on stdin")->required();
        decode->add_option("--direction", o.direction, "mo (from the mobile) or mt")->check(CLI::IsMember({"mo", "mt"}));
    }

    static std::string no_folder(const std::string& path) {
        std::error_code ec;
        return std::filesystem::is_directory(path, ec) ? path + " is a folder, not a file" : std::string{};
    }
    const CLI::Validator file_{no_folder, ""};
    CLI::App& app_;
    Options& o;
    Action& action_;
};

}  // namespace

int run(std::vector<std::string> args, Io io) {
    Options options;
    Action action;
    CLI::App app{"Control and diagnosis of the Conductor SMS gateway", "conductorctl"};
    app.fallthrough();  // --json and --socket are understood behind a subcommand too
    app.require_subcommand(1);
    app.set_version_flag("--version", CONDUCTOR_VERSION);
    app.add_option("--socket", options.socket, "the daemon's socket (default /run/conductor/control.sock)")->envname("CONDUCTOR_SOCKET");
    app.add_flag("--json", options.json, "one JSON document on stdout");
    app.footer("Exit: 0 done, 1 failed, 2 usage, 3 daemon not reachable, 4 not found, 5 refused by state or policy.");
    Commands commands{app, options, action};  // the callbacks refer to it
    commands.add();
    try {
        std::reverse(args.begin(), args.end());  // as CLI11 wants a vector
        app.parse(std::move(args));
    } catch (const CLI::ParseError& e) {
        return app.exit(e, io.out, io.err) == 0 ? done : usage;
    }
    Session session{io, options.socket, options.json};
    const int code = action(session);
    io.out.flush();
    return code;
}

}  // namespace conductor::ctl
