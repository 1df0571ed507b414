// A log that grows at its end and is read by other threads while it does: entries never move.
//
// Memory is kept for the next attempt, and given back by degrees by attempts that need less: for one that
// needs much again, new memory would cost more than all else (it comes empty from the system, page by page).
// While somebody observes it is type-stable: a reader that comes late reads entries of another attempt, which
// it notices by the generation of their owner.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

#include "runtime/core/atomics.h"
#include "runtime/core/reclaim.h"

namespace stmpy::core {

template <class Entry>
class AppendLog {
  struct Chunk {
    Chunk* previous;
    Shown<Chunk*> following;
    Entry* end;
    Entry entries[1];  // as many as fit before `end`
  };

 public:
  // Behind the last entry of a moment. Entry and chunk go together.
  struct Position {
    Chunk* chunk = nullptr;
    Entry* entry = nullptr;
    bool operator==(const Position&) const = default;
  };

  // A position that its owner publishes for other threads.
  class SharedPosition {
   public:
    [[gnu::always_inline]] void set(Position position) {
      chunk_.set(position.chunk);
      entry_.set(position.entry);
    }
    [[gnu::always_inline]] Position get() const { return {chunk_.get(), entry_.get()}; }

   private:
    Shown<Chunk*> chunk_;
    Shown<Entry*> entry_;
  };

  AppendLog() {
    first_ = last_ = make_chunk(nullptr, kFirstEntries);
    go_to(first_, first_->entries);
  }
  ~AppendLog() {
    for (Chunk* chunk = first_; chunk;) {
      Chunk* following = chunk->following.get();
      std::free(chunk);
      chunk = following;
    }
  }
  AppendLog(const AppendLog&) = delete;
  AppendLog& operator=(const AppendLog&) = delete;

  // Makes room for one entry; the only step that can fail (std::bad_alloc), with nothing changed.
  void reserve() {
    if (next_.get() == limit_ && !current_->following.get()) {
      const std::size_t size = static_cast<std::size_t>(current_->end - current_->entries);
      last_ = make_chunk(current_, std::min(size * 2, kLargestChunk));
      current_->following.set_release(last_);
      ++chunks_;
    }
  }
  // Room for one entry where the log ends now: reserve() would have nothing to do.
  [[gnu::always_inline]] bool has_room() const { return next_.get() != limit_; }
  // Needs reserve() before it. The entry gets its fields by Entry::set.
  template <class... Fields>
  [[gnu::always_inline]] void push(Fields... fields) {
    if (next_.get() == limit_) [[unlikely]]
      become_current(current_->following.get());
    Entry* entry = next_.get();
    entry->set(fields...);
    next_.set_release(entry + 1);
  }

  Position start() const { return {first_, first_->entries}; }
  Position position() const { return {current_, next_.get()}; }
  [[gnu::always_inline]] bool empty() const { return next_.get() == first_->entries; }
  [[gnu::always_inline]] bool empty_since(Position start) const { return next_.get() == start.entry; }
  // nullptr where nothing is behind `start`.
  [[gnu::always_inline]] Entry* last_since(Position start) {
    return empty_since(start) ? nullptr : next_.get() - 1;
  }
  void pop() {
    Entry* last = next_.get() - 1;
    if (last == border_) [[unlikely]] {
      go_to(current_->previous, current_->previous->end);
    } else {
      next_.set_release(last);
    }
  }
  // Takes away what is behind `start`, the newest first. Each is off the log when `visit` is given it, which
  // reads it before anything else: what it pushes comes to the same place. It takes away what it has pushed.
  template <class Visit>
  [[gnu::always_inline]] void drain(Position start, Visit visit) {
    for (Entry* last = next_.get(); last != start.entry; last = next_.get()) {
      pop();
      visit(*--last);
    }
  }

  // The owner's own ways through it; `start` is not behind the end. What `visit` pushes is not visited; it
  // may take away only what it has pushed.
  template <class Visit>
  [[gnu::always_inline]] void forwards(Position start, Visit visit) {
    Chunk* const last = current_;
    Entry* const stop = next_.get();
    Entry* entry = start.entry;
    for (Chunk* chunk = start.chunk;; entry = chunk->entries) {
      for (Entry* const end = chunk == last ? stop : chunk->end; entry != end; ++entry) visit(*entry);
      if (chunk == last) return;
      chunk = chunk->following.get();
    }
  }
  template <class Visit>
  void backwards(Position start, Visit visit) {
    Chunk* chunk = current_;
    for (Entry* entry = next_.get(); entry != start.entry;) {
      if (entry == chunk->entries) {
        chunk = chunk->previous;
        entry = chunk->end;
        if (entry == start.entry) break;
      }
      visit(*--entry);
    }
  }
  // For another thread, as an observer (reclaim.h): the entries from `start` to what was there when it
  // looked, until `visit` returns false. The caller checks before and after that the owner's attempt is still
  // the same: where it is not, `start` may be half of one attempt's and half of another's.
  template <class Visit>
  void observe(Position start, Visit visit) const {
    if (!start.chunk || start.entry < start.chunk->entries || start.entry > start.chunk->end) return;
    const Entry* const stop = next_.get_acquire();
    Entry* entry = start.entry;
    for (Chunk* chunk = start.chunk; chunk; chunk = chunk->following.get_acquire()) {
      if (chunk != start.chunk) entry = chunk->entries;
      const bool last = stop >= chunk->entries && stop <= chunk->end && stop >= entry;
      const Entry* const end = last ? stop : chunk->end;
      for (; entry != end; ++entry) {
        if (!visit(*entry)) return;
      }
      if (last) return;
    }
  }

  int chunks() const { return chunks_; }  // for tests
  // At the end of an attempt, where the log is empty: gives back some of what the attempt did not need.
  [[gnu::always_inline]] void trim() {
    if (chunks_ > kKeptChunks && empty()) [[unlikely]]
      give_back_chunks();
  }

 private:
  static constexpr std::size_t kFirstEntries = 32, kLargestChunk = 4096;
  static constexpr int kKeptChunks = 6;

  static Chunk* make_chunk(Chunk* previous, std::size_t entries) {
    void* memory = std::calloc(1, sizeof(Chunk) + (entries - 1) * sizeof(Entry));
    if (!memory) throw std::bad_alloc();
    Chunk* chunk = new (memory) Chunk;
    chunk->previous = previous;
    chunk->end = chunk->entries + entries;
    return chunk;
  }
  void go_to(Chunk* chunk, Entry* next) {
    current_ = chunk;
    limit_ = chunk->end;
    border_ = chunk->previous ? chunk->entries : nullptr;
    next_.set_release(next);
  }
  [[gnu::cold]] void become_current(Chunk* chunk) {
    go_to(chunk, chunk->entries);
    if (chunk == last_) needs_all_ = true;
  }
  // Half of those that are not always kept, the last ones. Who observes has seen that the owner's attempt was
  // in progress before it looks at its log; this is called when that has ended, so no newcomer does.
  [[gnu::cold]] void give_back_chunks() {
    if (std::exchange(needs_all_, false)) return;
    for (int unneeded = (chunks_ - kKeptChunks + 1) / 2; unneeded != 0; --unneeded, --chunks_) {
      Chunk* const unused = std::exchange(last_, last_->previous);
      last_->following.set(nullptr);
      reclaim_memory(unused);
    }
  }

  // Invariant: next_ is inside of current_ or at its end, and at its beginning only in the first chunk, so
  // that the last entry is always the one before next_.
  Chunk* first_;
  Chunk* current_;
  Entry* limit_;   // current_->end
  Entry* border_;  // current_->entries; null in the first chunk, which is not left
  Shown<Entry*> next_;
  Chunk* last_;
  int chunks_ = 1;          // from first_ to last_
  bool needs_all_ = false;  // since chunks were last given back an entry has come into last_
};

}  // namespace stmpy::core
