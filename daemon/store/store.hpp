#pragma once
// The database on a thread of its own. Jobs that wait at the same time share one commit, so a slow card costs each modem one commit at
// most, never one per modem.
//
// Trouble. A disk that is full, read-only or fails: jobs that write get the error and store nothing, reading goes on (from a connection
// that needs no room, where the usual one cannot be opened), and every three seconds a small write finds out whether it is over. A database
// that is damaged, not one of ours, newer than this program or gone: nothing more is written until a technician acted (conductorctl db);
// what can still be read is read. Nothing is moved, deleted or made anew by itself.
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <variant>
#include <vector>

#include "daemon/aio/aio.hpp"
#include "daemon/store/sqlite.hpp"
#include "daemon/store/witness.hpp"

namespace conductor::store {

enum class Urgency : std::uint8_t {
    now,   ///< somebody waits for the commit
    soon,  ///< may wait up to `Settings::soon` for a commit that is made anyway
    late,  ///< or up to `Settings::late`
};

struct Settings {
    std::string path;
    std::chrono::milliseconds soon{200}, late{2000};
    std::string vfs = {};       ///< of SQLite; empty = its own
    std::string opt_outs = {};  ///< file that keeps each opt-out once more (tables.hpp); empty: none
    std::string witness = {};   ///< file (witness.hpp); empty: nothing is witnessed
    std::string machine = {};   ///< id of this machine; empty: unknown
};

/// Figures of the store, for metrics and the bench.
struct Counters {
    std::uint64_t jobs = 0, commits = 0, failures = 0;
};

class Store {
public:
    /// Opens and migrates. A disk or a database in trouble gives a store in trouble; an error is for what another start does not mend: the
    /// folder is not there, or another process holds the file. `home` is where completions run (the io_context), `worker` where SQL runs: a
    /// thread of its own, or `home` in the simulation.
    static Result<std::unique_ptr<Store>> open(Settings settings, aio::Executor home, aio::Executor worker);
    ~Store();

    /// Runs `job(Tx&)` in a write transaction and completes after its COMMIT is durable. An Error means that nothing of it was stored.
    /// The job is moved from. It must have a name: g++ 12 destroys a closure twice that is made inside a co_await expression.
    /// `party` (0: none): a job that is late goes with the next one of its own party that is not, and not with everybody's: what 64 modems
    /// received is not stored at the cost of the first one that goes on.
    template <class Job>
    auto run(Job& job, Urgency urgency = Urgency::now, unsigned party = 0) {
        return start<true>(std::move(job), urgency, party);
    }
    /// Runs `job(Tx&)` for reading.
    template <class Job>
    auto read(Job& job) {
        return start<false>(std::move(job), Urgency::now, 0);
    }
    const Counters& counters() const { return shown_; }
    /// Why nothing can be written now (disk full, damaged file); empty while all is well.
    const std::optional<Error>& trouble() const { return trouble_; }
    /// True when only a technician can end the trouble: damaged, foreign, newer or gone.
    bool needs_technician() const { return trouble_ && lasting(*trouble_); }
    /// Why the unsent rows of this database must be held (witness.hpp); empty when they need not. As it was found at the start.
    const std::string& doubt() const { return doubt_; }
    /// Such a database was last used by this machine: its former self runs nowhere else.
    bool of_this_machine() const { return of_this_machine_; }
    const std::string& opt_outs_file() const { return settings_.opt_outs; }
    /// Puts a tick into the database and its witness, if anything was written since the last one. The first one of a process says that this
    /// is now the database of this machine: make it only when what must be held is held.
    aio::awaitable<Result<void>> tick(Urgency urgency = Urgency::now);
    /// Damage was found: nothing is written any more.
    void condemn(std::string what);
    /// A technician says that the old database is not coming back: a new one is made where none is.
    aio::awaitable<Result<void>> begin_anew();

private:
    struct Task {
        explicit Task(bool w) : writes{w} {}
        virtual ~Task() = default;
        virtual void execute(Tx& tx) = 0;                        // on the worker
        virtual void complete(const std::optional<Error>&) = 0;  // on the worker; posts to the caller
        bool writes;
        unsigned party = 0;
        std::optional<Error> error;
    };
    template <class Value, class Job, class Handler>
    struct TaskOf final : Task {
        TaskOf(bool w, Job j, Handler h, aio::Executor home)
            : Task{w}, job{std::move(j)}, handler{std::move(h)}, executor{asio::get_associated_executor(handler, home)}, work{executor} {}
        void execute(Tx& tx) override {
            if constexpr (std::is_void_v<Value>)
                job(tx);
            else
                value.emplace(job(tx));
        }
        void complete(const std::optional<Error>& failed) override {
            auto finish = [](Handler h, Result<Value> r) { std::move(h)(std::move(r)); };
            Result<Value> result = [&]() -> Result<Value> {
                if (failed) return *failed;
                if constexpr (std::is_void_v<Value>)
                    return {};
                else
                    return std::move(*value);
            }();
            asio::post(executor, [h = std::move(handler), r = std::move(result), finish]() mutable { finish(std::move(h), std::move(r)); });
        }
        Job job;
        Handler handler;
        aio::Executor executor;
        asio::executor_work_guard<aio::Executor> work;
        std::conditional_t<std::is_void_v<Value>, std::monostate, std::optional<std::conditional_t<std::is_void_v<Value>, int, Value>>>
            value;
    };
    template <bool Writes, class Job>
    auto start(Job job, Urgency urgency, unsigned party) {
        using Value = std::invoke_result_t<Job&, Tx&>;
        return asio::async_initiate<const asio::use_awaitable_t<>, void(Result<Value>)>(
            [this, urgency, party](auto handler, Job j) {
                using Handler = decltype(handler);
                auto task = std::make_unique<TaskOf<Value, Job, Handler>>(Writes, std::move(j), std::move(handler), home_);
                task->party = party;
                submit(std::move(task), urgency);
            },
            aio::use_awaitable, std::move(job));
    }

    Store(Settings settings, aio::Executor home, aio::Executor worker);
    static bool lasting(const Error& error);
    std::optional<Error> connect(bool anew);  // worker, or before it runs
    void settle_trouble(std::optional<Error> trouble);
    void watch_trouble();
    void probe();
    void prepare_tick(Tx& tx);
    void witness_commit(Tx& tx);
    void submit(std::unique_ptr<Task> task, Urgency urgency);
    struct Delayed {
        aio::Timer timer;
        bool armed = false;
    };
    void call_late(std::optional<unsigned> party);
    void kick();
    void kick_after(Delayed& one, std::chrono::milliseconds delay);
    void drain();
    void run_batch(std::vector<std::unique_ptr<Task>>& batch);
    std::optional<Error> write_batch(std::vector<std::unique_ptr<Task>>& batch, Tx& tx, std::ptrdiff_t writers);
    void execute(Task& task, Tx& tx, bool shared);

    Settings settings_;
    std::unique_ptr<Connection> connection_;  // worker only
    aio::Executor home_, worker_;
    Delayed soon_, late_;  // home only
    std::mutex mutex_;     // guards queue_, waiting_, scheduled_
    std::vector<std::unique_ptr<Task>> queue_;
    std::vector<std::unique_ptr<Task>> waiting_;  // late ones, until their party has something to store, or until their time
    bool scheduled_ = false;
    Counters counted_;                // worker only
    Counters shown_;                  // home only
    std::optional<Error> trouble_;    // home only
    aio::Timer probe_;                // home only
    bool probing_ = false;            // home only
    std::optional<Error> fault_;      // worker only: why nothing may be written
    bool salvaged_ = false;           // worker only: the connection is one for reading alone
    std::string doubt_;               // set before anything runs, or by begin_anew() on the worker while nothing is written
    bool of_this_machine_ = false;    // like doubt_
    std::optional<Witness> witness_;  // worker only, as all below
    Tick tick_;                       // the last one that the witness has
    std::optional<Tick> prepared_;
    bool blessed_ = false;  // the first tick of this process is made
    std::int64_t changes_at_tick_ = 0;
    std::int64_t schema_ = 0;
};

/// Applies the migrations that are missing, each in a transaction of its own.
Result<void> migrate(Connection& connection);
/// The schema that this program makes, and that of a database (0: an empty one).
std::int64_t newest_schema();
Result<std::int64_t> schema_of(Connection& connection);

}  // namespace conductor::store
