// The places where an access stays as it is written, because a call there would be illegal or seen. They run
// on the dynamic tier, with the same results. This is the one list of them.

#pragma once

#include <string_view>

namespace stmpy::compiler::dynamic_places {

// An empty reason: the access is compiled.
inline constexpr std::string_view kNone = "";

inline constexpr std::string_view kMethodCall = "a method call keeps its form";
inline constexpr std::string_view kPattern = "a pattern takes no calls";
inline constexpr std::string_view kAnnotation =
    "the text of an annotation can be read, and evaluated in its own scope";
inline constexpr std::string_view kTypeParameters =
    "type parameters and aliases are evaluated in scopes of their own";
inline constexpr std::string_view kModuleBody = "it is evaluated outside of functions";
inline constexpr std::string_view kClassBody = "a class body's namespace can answer for any name";
inline constexpr std::string_view kSelfDocumenting = "`f\"{expression=}\"` shows the expression's text";
inline constexpr std::string_view kTemplateString = "a template string keeps the expression's text";
inline constexpr std::string_view kQuotes =
    "Python 3.11 has no quotes left for a name inside of these f-strings";
inline constexpr std::string_view kSuper = "an attribute of super() is found by the class it stands in";
inline constexpr std::string_view kNonAscii = "Python normalises names outside of ASCII";

}  // namespace stmpy::compiler::dynamic_places

// Bases that are known to be no STMObjects.
namespace stmpy::compiler::free_bases {

inline constexpr std::string_view kModule = "an attribute of a module";
inline constexpr std::string_view kFresh = "an attribute of a literal, or of a container made right here";

}  // namespace stmpy::compiler::free_bases
