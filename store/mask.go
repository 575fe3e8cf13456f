package store

import "github.com/curbstop/curbstop/casework"

// maskApplicant is the applicant as lists show it. An organisation's name is
// public; of a natural person the first character stays (张*), and always one
// star, so that not even the length of the name shows.
func maskApplicant(a casework.Applicant) string {
	if !a.Person {
		return a.Name
	}
	for _, first := range a.Name {
		return string(first) + "*"
	}
	return ""
}
