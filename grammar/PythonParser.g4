// The sentences of Python 3.9 to 3.15, for a reader that looks for names, scopes and attribute accesses.
//
// It accepts more than Python does: CPython alone judges what is a SyntaxError, on the user's text and on
// ours. That freedom buys speed. A chain of binary operators is one flat sequence (no access depends on
// precedence), targets are parsed as the expressions they look like, all brackets share one rule for what
// they hold. Every decision is made by the next token alone, so ANTLR writes it as a switch and never
// simulates its automata.

parser grammar PythonParser;

options { tokenVocab = PythonLexer; }

file : statement* EOF ;

statement
    : simple_statement (';' simple_statement?)* NEWLINE
    | if_statement
    | while_statement
    | for_statement
    | try_statement
    | with_statement
    | match_statement
    | function_definition
    | class_definition
    | async_statement
    | decorated
    ;

block
    : simple_statement (';' simple_statement?)* NEWLINE
    | NEWLINE INDENT statement+ DEDENT
    ;

// Simple statements

simple_statement
    : expression_statement
    | return_statement
    | raise_statement
    | del_statement
    | assert_statement
    | PASS
    | global_statement
    | import_statement
    | from_statement
    | lazy_statement
    | type_statement
    ;

expression_statement
    : value (':' expression ('=' value)? | AUGMENTED value | ('=' value)*)
    ;

value : expressions | yield ;

return_statement : 'return' expressions? ;

raise_statement : 'raise' (expression ('from' expression)?)? ;

del_statement : 'del' expressions ;

assert_statement : 'assert' expression (',' expression)? ;

global_statement : GLOBAL NAME (',' NAME)* ;

lazy_statement : LAZY (import_statement | from_statement) ;

import_statement : 'import' import_name (',' import_name)* ;

from_statement
    : 'from' ('.' | '...')* dotted_name?
      'import' ('*' | '(' import_name (',' import_name?)* ')' | import_name (',' import_name)*)
    ;

import_name : dotted_name ('as' NAME)? ;

dotted_name : NAME ('.' NAME)* ;

type_statement : TYPE NAME type_parameters? '=' expression ;

type_parameters : '[' type_parameter (',' type_parameter?)* ']' ;

type_parameter : ('*' | '**')? NAME (':' expression)? ('=' expression)? ;

// Compound statements

if_statement : 'if' expression ':' block ('elif' expression ':' block)* ('else' ':' block)? ;

while_statement : 'while' expression ':' block ('else' ':' block)? ;

for_statement : 'for' targets 'in' expressions ':' block ('else' ':' block)? ;

try_statement : 'try' ':' block except_clause* ('else' ':' block)? ('finally' ':' block)? ;

// The star of `except*` is read as the expression's own.
except_clause : 'except' (expressions ('as' NAME)?)? ':' block ;

// The brackets around several items are read as a tuple's, see `elements`.
with_statement : 'with' with_item (',' with_item?)* ':' block ;

with_item : expression ('as' primary)? ;

async_statement : 'async' (function_definition | for_statement | with_statement) ;

decorated : decorator+ (function_definition | async_statement | class_definition) ;

decorator : '@' expression NEWLINE ;

function_definition : 'def' NAME type_parameters? '(' parameters? ')' ('->' expression)? ':' block ;

parameters : parameter (',' parameter?)* ;

parameter
    : NAME (':' expression)? ('=' expression)?
    | '*' (NAME (':' expression)?)?
    | '**' NAME (':' expression)?
    | '/'
    ;

class_definition : 'class' NAME type_parameters? ('(' elements? ')')? ':' block ;

// Patterns

match_statement : MATCH expressions ':' NEWLINE INDENT case_block+ DEDENT ;

case_block : CASE patterns ('if' expression)? ':' block ;

patterns : pattern (',' pattern?)* ;

// A class pattern's `name=pattern` is read as a pattern with a tail.
pattern : closed_pattern ('|' closed_pattern)* ('as' NAME)? ('=' pattern)? ;

closed_pattern
    : '*' NAME
    | '-'? NUMBER (('+' | '-') NUMBER)?
    | (STRING | fstring)+
    | CONSTANT
    | dotted_name ('(' patterns? ')')?
    | '(' patterns? ')'
    | '[' patterns? ']'
    | OPEN_BRACE (mapping_pattern (',' mapping_pattern?)*)? CLOSE_BRACE
    ;

mapping_pattern : closed_pattern ':' pattern | '**' NAME ;

// Expressions

expressions : expression (',' expression?)* ;

yield : 'yield' ('from' expression | expressions)? ;

expression
    : ('*' | '**')* (lambda | operation ('if' operation 'else' expression | ':=' expression)?)
    ;

lambda : 'lambda' lambda_parameters? ':' expression ;

lambda_parameters : lambda_parameter (',' lambda_parameter?)* ;

lambda_parameter : NAME ('=' expression)? | '*' NAME? | '**' NAME | '/' ;

// `is not` is read as `is` before a `not`.
operation
    : ('not' | '-' | '+' | '~' | 'await')* primary
      ( (OPERATOR | '+' | '-' | '*' | '**' | '/' | '@' | '|' | 'in' | 'not' 'in')
        ('not' | '-' | '+' | '~' | 'await')* primary
      )*
    ;

primary
    : ( NAME
      | NUMBER
      | (STRING | fstring)+
      | CONSTANT
      | '...'
      | '(' (yield | elements)? ')'
      | '[' elements? ']'
      | OPEN_BRACE elements? CLOSE_BRACE
      )
      ('.' NAME | '(' elements? ')' | '[' subscripts ']')*
    ;

// What any brackets hold: `a`, `key: value`, `keyword=value`, `item as target` of a with statement, a
// comprehension's clauses.
elements
    : expression ((':' | '=') expression | 'as' primary)? comprehension*
      (',' (expression ((':' | '=') expression | 'as' primary)? comprehension*)?)*
    ;

comprehension : 'async'? 'for' targets 'in' operation ('if' operation)* ;

targets : '*'? primary (',' ('*'? primary)?)* ;

subscripts : subscript (',' subscript?)* ;

subscript : expression (':' expression?)* | (':' expression?)+ ;

// Formatted strings

fstring : FSTRING_START (FSTRING_MIDDLE | FSTRING_NAMED | replacement)* FSTRING_END ;

replacement
    : OPEN_BRACE (yield | expressions) '='? ('!' NAME)?
      (':' (FSTRING_MIDDLE | FSTRING_NAMED | replacement)*)? CLOSE_BRACE
    ;
