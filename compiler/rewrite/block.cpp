#include "rewrite/block.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

namespace stmpy::compiler {

namespace {

bool is_on_one_line(const Node& body) { return token_type(*body.children[0]) != Rules::NEWLINE; }

std::string tuple_of(const std::vector<std::string_view>& names, const Scope& scope) {
  std::string text = "(";
  for (const std::string_view name : names) text += join({"\"", mangled(scope, name), "\","});
  return text + ")";
}

}  // namespace

BlockRewriter::BlockRewriter(Unit& unit, const AtomicBlock& block, const BlockRewriter* around)
    : unit_(unit),
      block_(block),
      around_(around != nullptr && around->block_.scope == block.scope ? around : nullptr),
      body_(*block.statement->children.back()),
      shift_(around != nullptr ? around->body_shift() : 0),
      depth_(around_ != nullptr ? around_->depth_ + around_->loops_.size() : 0),
      base_(join({indentation_at(unit.source, start_of(*block.statement)), std::string(shift_, ' ')})),
      bound_(names_bound_by(unit.source, unit.tokens, block)),
      jumps_(jumps_out_of(unit.source, block)) {}

// From `with` to the first line of the body.
void BlockRewriter::rewrite_head() {
  const auto& items = block_.with.items;
  uint32_t done = start_of(*block_.statement);  // what comes before it is written
  for (size_t i = 0; i < items.size(); ++i) {
    const WithItem& item = items[i];
    const std::string new_line = i == 0 ? "" : line(indent_);
    if (item.atomic) {
      replace(done, item.start(), join({new_line, begin_loop(item)}), item);
      const std::string begin = begin_attempt(i + 1 == items.size());
      done = end_of(*item.expression);
      if (item.target != nullptr) {
        replace(done, start_of(*item.target), join({begin, "; ", bracket("(")}), item);
        done = item.end();
        insert(done, join({bracket(")"), " = ", use("transaction"), "()"}), item);
      } else {
        insert(done, begin, item);
      }
    } else {
      const bool follows_atomic = i > 0 && items[i - 1].atomic;
      if (follows_atomic) replace(done, item.start(), join({new_line, "with ", bracket("(")}), item);
      done = item.end();
      if (i + 1 < items.size() && !items[i + 1].atomic) continue;
      indent_ += 1;
      insert(done, join({bracket(")"), ":"}), item);
    }
  }
  const bool on_one_line = is_on_one_line(body_);
  const uint32_t head_end = end_of(*child_token(*block_.statement, Rules::COLON));
  replace(done, on_one_line ? start_of(body_) : head_end, on_one_line ? line(indent_) : "", items.back());
}

// Where all jumps are `continue`, they leave the loop as `break`: to turn it once more would show in a
// debugger.
void BlockRewriter::rewrite_jumps(uint32_t until) {
  for (; next_jump_ < jumps_.continues.size() && jumps_.continues[next_jump_]->start() < until;
       ++next_jump_) {
    if (!continue_breaks()) continue;
    const Token& jump = *jumps_.continues[next_jump_];
    unit_.edits.replace(jump.start(), jump.end(), "break", {jump.start(), jump.end(), jump.start()});
  }
}
void BlockRewriter::skip_jumps(uint32_t until) {
  while (next_jump_ < jumps_.continues.size() && jumps_.continues[next_jump_]->start() < until) ++next_jump_;
}

// Spaces for each logical line of the body.
void BlockRewriter::indent_body() {
  if (is_on_one_line(body_)) return;
  bool line_starts = true;
  const size_t last = last_token(body_).getTokenIndex();
  for (size_t i = first_token(body_).getTokenIndex(); i <= last; ++i) {
    const Token& token = token_at(i);
    const size_t type = token.getType();
    const bool is_word = type != Rules::NEWLINE && type != Rules::INDENT && type != Rules::DEDENT;
    if (line_starts && is_word) {
      const uint32_t at = token.start();
      unit_.edits.insert(at, std::string(indent_, ' '), {at, at, at});
    }
    line_starts = !is_word;
  }
}

// Behind the body, of each loop: the handler of its attempts, and the jumps out of it.
void BlockRewriter::rewrite_end() {
  for (; !loops_.empty(); loops_.pop_back())
    insert_behind(unit_, *block_.statement, end_loop(loops_.back()), anchor_at(*loops_.back().item));
}

// What surrounds a block is where its item is; from there to the block's end it is the statement.
Anchor BlockRewriter::anchor_at(const WithItem& item) const {
  const uint32_t start = start_of(*item.expression), end = end_of(*item.expression);
  const uint32_t statement = start_of(*block_.statement);
  const bool one_line = unit_.lines.position(start).line == unit_.lines.position(statement).line;
  return {one_line ? statement : start, end, start, end};
}

void BlockRewriter::insert(uint32_t at, std::string text, const WithItem& item) {
  unit_.edits.insert(at, std::move(text), anchor_at(item));
}

// With as many line ends more as the source has there: the text never has fewer lines than the source. They
// stand where any number of them may: behind another one, or in the brackets of a loop that begins.
void BlockRewriter::replace(uint32_t start, uint32_t end, std::string text, const WithItem& item) {
  const uint32_t dropped = unit_.lines.position(end).line - unit_.lines.position(start).line;
  const size_t line_end = std::min(text.find('\n'), text.size());
  text.insert(line_end, std::string(dropped, '\n'));
  unit_.edits.replace(start, end, std::move(text), anchor_at(item));
}

std::string BlockRewriter::begin_loop(const WithItem& item) {
  loops_.push_back({&item, unit_.names.block_variable(depth_ + loops_.size()), indent_});
  return join({"for ", loops_.back().variable, " in ", use("block_attempts"), "("});
}

// Behind the call of `atomic`, up to the first thing that an attempt does.
std::string BlockRewriter::begin_attempt(bool is_last) {
  const std::string& variable = loops_.back().variable;
  std::string text = join({", \"", block_.name, "\""});
  if (puts_back(loops_.back())) {
    text +=
        join({", ", tuple_of(bound_.locals, *block_.scope), ", ", tuple_of(bound_.globals, *block_.scope)});
    for (const std::string_view name : bound_.certain) text += join({", ", name});
  }
  text += join({"):", line(indent_ + 1), "try:", line(indent_ + 2), "with ", variable, ":"});
  indent_ += 3;
  if (is_last && !is_on_one_line(body_)) {
    // One suite with the body's lines.
    const Node& first = *child_rule(body_, Rules::RuleStatement);
    text += join({"\n", indentation_at(unit_.source, start_of(first)), std::string(shift_ + indent_, ' ')});
  } else {
    text += line(indent_);
  }
  return text + join({use("block_begin"), "(", variable, ")"});
}

std::string BlockRewriter::end_loop(const Loop& loop) {
  const std::string& variable = loop.variable;
  const bool breaks = !jumps_.breaks.empty() || continue_breaks();
  std::string text = join({line(loop.indent + 1), "except ", use("block_aborted"), "(", variable, "):"});
  text += puts_back(loop) ? put_back(loop) : " pass";
  text += join({line(loop.indent + 1), "else: ", breaks ? variable + " = None; " : "", "break"});
  if (!jumps_.continues.empty() && !continue_breaks()) text += join({line(loop.indent), "else: continue"});
  if (!breaks) return text;
  // To the loop around, which for the outermost of ours is the user's or that of another block.
  const bool goes_on = continue_breaks() && loops_.size() == 1 && (!around_ || !around_->continue_breaks());
  return text + join({line(loop.indent), "if ", variable, " is not None: ", goes_on ? "continue" : "break"});
}

bool BlockRewriter::continue_breaks() const { return jumps_.breaks.empty() && !jumps_.continues.empty(); }

// The outermost loop puts back for all of them.
bool BlockRewriter::puts_back(const Loop& loop) const {
  return around_ == nullptr && loop.item == loops_.front().item &&
         (!bound_.certain.empty() || !bound_.locals.empty() || !bound_.globals.empty());
}

std::string BlockRewriter::put_back(const Loop& loop) {
  std::string targets, deletions;
  const std::string inside = line(loop.indent + 2);
  for (const std::string_view name : bound_.certain) targets += join({name, ", "});
  for (const auto* names : {&bound_.locals, &bound_.globals}) {
    for (const std::string_view name : *names) {
      targets += join({name, ", "});
      deletions += join({inside, "if ", name, " is ", use("unbound"), ": del ", name});
    }
  }
  targets.pop_back();
  return join({inside, targets, " = ", use("block_saved"), "(", loop.variable, ")", deletions});
}

}  // namespace stmpy::compiler
