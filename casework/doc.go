// Package casework holds the rules that a clerk could recite: what a
// connection request is, the stages and tasks it goes through, who may do
// what, which documents, fees and touchpoints belong to it, and which
// transitions are allowed.
//
// The package is pure. Every function that depends on the time takes it, and
// nothing here reads a clock, a file, a network or a global that changes, so
// workflow code may call all of it.
//
// Sources, as the comments cite them: "measures" are the Measures of Wuhu
// City to optimise the business environment for getting water and gas (2023);
// a rule marked D is a default of this project that the policy file changes.
package casework
